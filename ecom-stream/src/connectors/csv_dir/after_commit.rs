use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::directory::Directory;
use super::disk::Disk;
use super::removal::{Destination, Removal};
use super::uncommitted::Uncommitted;
use crate::contract::{Commit, Committed, Error, ErrorKind, Result, SplitState};

/// What becomes of a file once all of it is committed.
///
/// To take files away, the source must be the only reader of the directory: a sink whose ledger other pipelines share
/// refuses another one there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterCommit {
    /// It stays where it is.
    #[default]
    Keep,
    /// It is moved to this directory, which is made if there is none. It must be on the same file system and outside the
    /// directory that is read. Nothing in it is ever replaced.
    Archive(PathBuf),
    /// It is removed. A file that can't be used, or not from some place on, stays.
    Delete,
}

impl AfterCommit {
    /// Checks that files can be taken away from `watched`, and makes nothing: where there is no archive yet, what counts is
    /// the directory that it would be made in.
    pub(super) fn check(&self, watched: &Path) -> Result<()> {
        match self {
            Self::Keep | Self::Delete => Ok(()),
            Self::Archive(archive) => check_archive(watched, archive),
        }
    }

    /// How files are taken away from `watched`; makes the archive where there is none.
    pub(super) fn removal(&self, dir: &Disk) -> Result<Option<Removal<Disk>>> {
        let watched = dir.path();
        self.check(watched)?;
        let to = match self {
            Self::Keep => return Ok(None),
            Self::Archive(archive) => {
                fs::create_dir_all(archive).map_err(|err| unusable(archive, err))?;
                // What was made may be elsewhere than it seemed.
                self.check(watched)?;
                Destination::Archive(archive.canonicalize().map_err(|err| unusable(archive, err))?)
            }
            Self::Delete => Destination::Nowhere,
        };
        let dir = dir.clone();
        Ok(Some(Removal { dir, to }))
    }
}

fn check_archive(watched: &Path, dir: &Path) -> Result<()> {
    let refused = |message: String| Error::new(ErrorKind::Configuration, message);
    let unusable = |err| unusable(dir, err);
    let absolute = std::path::absolute(dir).map_err(unusable)?;
    let there = absolute.ancestors().find(|path| path.exists()).unwrap_or(&absolute);
    let archive = there.canonicalize().map_err(unusable)?;
    if archive.starts_with(watched) {
        let message = format!("the archive {} lies inside the directory that is read", dir.display());
        return Err(refused(message).hint("choose a directory beside it"));
    }
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev());
    if device(&archive).map_err(unusable)? != device(watched).map_err(unusable)? {
        let message = format!("the archive {} is on another file system than the files", dir.display());
        return Err(refused(message).hint("choose a directory on the same one: a file is moved whole or not at all"));
    }
    Ok(())
}

fn unusable(dir: &Path, err: io::Error) -> Error {
    let message = format!("can't use {} as the archive", dir.display());
    Error::new(ErrorKind::Configuration, message).caused_by(err)
}

/// Takes files away after they are committed; the [`Ack`](crate::Source::Ack) of [`CsvDirSource`](crate::CsvDirSource).
#[derive(Debug)]
pub struct CsvDirAck(pub(super) FileAck<Disk>);

impl Committed for CsvDirAck {
    async fn committed(&mut self, commit: &Commit) -> Result<()> {
        self.0.committed(commit).await
    }
}

#[derive(Debug)]
pub(super) struct FileAck<D> {
    pub(super) source: String,
    pub(super) uncommitted: Uncommitted,
    pub(super) removal: Option<Removal<D>>,
}

impl<D: Directory> Committed for FileAck<D> {
    async fn committed(&mut self, commit: &Commit) -> Result<()> {
        let mut outcome = Ok(());
        for position in &commit.positions {
            if position.split.source() != self.source {
                continue;
            }
            self.uncommitted.committed(position);
            if let (Some(removal), SplitState::Finished) = (&self.removal, &position.state) {
                outcome = outcome.and(removal.clone().take_away(position.clone()).await);
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_among_the_files_is_refused_and_not_made() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().canonicalize().unwrap();
        let archive = AfterCommit::Archive(data.join("done"));
        for refused in [archive.check(&data), archive.removal(&Disk::new(&*data)).map(drop)] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Configuration);
        }
        assert!(!data.join("done").exists());
    }
}
