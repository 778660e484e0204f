//! What becomes of a file after all of it is committed.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::directory::Directory;
use super::disk::Disk;
use super::identity::directory_identity;
use super::mounts::mount_id;
use super::removal::{Destination, Removal, Restored};
use super::uncommitted::Uncommitted;
use crate::contract::{Commit, Committed, Error, ErrorKind, Result, SplitState};

/// What becomes of a file once all of it is committed; see [`CsvDirSource::after_commit`](crate::CsvDirSource::after_commit).
///
/// A source that archives or deletes must be the only reader of its directory. A ledger that several pipelines share refuses
/// a second pipeline on that directory, on one around or inside it whose files it would miss, and on the archive.
///
/// A file that changed after it was read stays until the rest is committed. So does a damaged file, and one that was set aside.
///
/// ```
/// use ecom_stream::memory::MemorySink;
/// use ecom_stream::{AfterCommit, CsvDirSource, Rules, SourceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let root = tempfile::tempdir()?;
/// let (data, done) = (root.path().join("data"), root.path().join("done"));
/// std::fs::create_dir(&data)?;
/// std::fs::write(data.join("a.csv"), "event_time,event_type,user_id,session_id,product_id\n")?;
/// let source = CsvDirSource::new(&data).after_commit(AfterCommit::Archive(done.clone())).available_now(true);
/// source.validate(Rules::default()).to(MemorySink::new("doc")).run().await?;
/// assert!(done.join("a.csv").exists() && !data.join("a.csv").exists());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterCommit {
    /// The file stays where it is.
    #[default]
    Keep,
    /// The file is moved to this directory, which is created if it is missing. It must be on the same file system as the
    /// files, by the same mount, and outside the directory that is read. No file in it is replaced: if a name is taken, the file
    /// gets a number before its ending, and is read under that name too when it is put back.
    Archive(PathBuf),
    /// The file is deleted.
    Delete,
}

impl AfterCommit {
    /// Checks that files can be removed from `watched`, and creates nothing. If the archive does not exist yet, the directory
    /// above it is checked.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the archive is inside `watched`, on another file system or mount, or cannot be used.
    pub(super) fn check(&self, watched: &Path) -> Result<()> {
        match self {
            Self::Keep | Self::Delete => Ok(()),
            Self::Archive(archive) => check_archive(watched, archive),
        }
    }

    /// The removal of files from `dir`; `None` if they stay. Creates the archive if it is missing.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub(super) fn removal(&self, dir: &Disk) -> Result<Option<Removal<Disk>>> {
        let watched = dir.path();
        self.check(watched)?;
        let to = match self {
            Self::Keep => return Ok(None),
            Self::Archive(archive) => {
                fs::create_dir_all(archive).map_err(|err| unusable(archive, err))?;
                // A link in its path may lead the created directory elsewhere.
                self.check(watched)?;
                Destination::Archive(archive.canonicalize().map_err(|err| unusable(archive, err))?)
            }
            Self::Delete => Destination::Delete,
        };
        let dir = dir.clone();
        let restored = Restored::default();
        Ok(Some(Removal { dir, to, restored }))
    }
}

fn check_archive(watched: &Path, dir: &Path) -> Result<()> {
    let refused = |message: String| Error::new(ErrorKind::Configuration, message);
    let unusable = |err| unusable(dir, err);
    let absolute = std::path::absolute(dir).map_err(unusable)?;
    let there = absolute.ancestors().find(|path| path.exists()).unwrap_or(&absolute);
    let archive = there.canonicalize().map_err(unusable)?;
    // A bind mount gives it another path.
    if archive.starts_with(watched) || directory_identity(dir, false).overlaps(&directory_identity(watched, true)) {
        let message = format!("the archive {} is inside the directory that is read", dir.display());
        return Err(refused(message).hint("choose a directory outside of it, for example beside it"));
    }
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev());
    if device(&archive).map_err(unusable)? != device(watched).map_err(unusable)? {
        let message = format!("the archive {} is on another file system than the files", dir.display());
        return Err(refused(message)
            .hint("choose a directory on the same file system: only there a file can be moved in one step"));
    }
    if mount_id(&archive) != mount_id(watched) {
        let message = format!("the archive {} is on another mount than the files", dir.display());
        return Err(refused(message).hint(
            "choose a directory on the same mount: a file cannot be moved from one mount to another in one step",
        ));
    }
    Ok(())
}

fn unusable(dir: &Path, err: io::Error) -> Error {
    let message = format!("cannot use {} as the archive", dir.display());
    Error::new(ErrorKind::Configuration, message).caused_by(err)
}

/// Archives or deletes files after their commit, as [`AfterCommit`] says; the [`Ack`](crate::Source::Ack) of [`CsvDirSource`](crate::CsvDirSource).
#[derive(Debug)]
pub struct CsvDirAck(pub(super) FileAck<Disk>);

impl Committed for CsvDirAck {
    async fn committed(&mut self, commit: &Commit) -> Result<()> {
        self.0.committed(commit).await
    }
}

/// The ack for any [`Directory`]: removes committed positions from `uncommitted`, and the files of finished ones.
///
/// An error of one file does not keep the others of the commit. The runner logs it and calls again with the same commit, so
/// everything here may happen twice.
#[derive(Debug)]
pub(super) struct FileAck<D> {
    /// The name of the source: positions of others are ignored.
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
                outcome = outcome.and(removal.clone().remove(position.clone()).await);
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_inside_the_directory_is_refused_and_not_created() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().canonicalize().unwrap();
        let archive = AfterCommit::Archive(data.join("done"));
        for refused in [archive.check(&data), archive.removal(&Disk::new(&*data)).map(drop)] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Configuration);
        }
        assert!(!data.join("done").exists());
    }
}
