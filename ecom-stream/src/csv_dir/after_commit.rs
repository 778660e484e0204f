use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::mark::{FileMark, Stamp};
use super::name::from_path;
use super::rename::rename_to_new;
use super::uncommitted::Uncommitted;
use crate::{Commit, Committed, Error, ErrorKind, Position, Result, SplitState};

/// What becomes of a file once all of it is committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterCommit {
    /// It stays where it is.
    #[default]
    Keep,
    /// It is moved to this directory, which is made if there is none. It must be on the same file system and outside the
    /// directory that is read, and no other program may read the files there. Nothing in it is ever replaced.
    Archive(PathBuf),
}

/// Archives files after they are committed; the [`Ack`](crate::Source::Ack) of [`CsvDirSource`](crate::CsvDirSource).
#[derive(Debug)]
pub struct CsvDirAck {
    pub(super) source: String,
    pub(super) uncommitted: Uncommitted,
    pub(super) archive: Option<Archive>,
}

impl Committed for CsvDirAck {
    async fn committed(&mut self, commit: &Commit) -> Result<()> {
        let mut outcome = Ok(());
        for position in &commit.positions {
            if position.split.source() != self.source {
                continue;
            }
            self.uncommitted.committed(position);
            if let (Some(archive), SplitState::Finished) = (&self.archive, &position.state) {
                outcome = outcome.and(archive.clone().put(position.clone()).await);
            }
        }
        outcome
    }
}

/// The directory for files that are done.
#[derive(Debug, Clone)]
pub(super) struct Archive {
    watched: PathBuf,
    dir: PathBuf,
}

impl Archive {
    /// Checks that files can be moved there, and makes nothing: where there is no such directory yet, what counts is the
    /// one that it would be made in.
    pub(super) fn check(watched: &Path, dir: &Path) -> Result<()> {
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
            return Err(
                refused(message).hint("choose a directory on the same one: a file is moved whole or not at all")
            );
        }
        Ok(())
    }

    /// Makes the directory where there is none, once it is checked.
    pub(super) fn prepare(watched: &Path, dir: &Path) -> Result<Self> {
        Self::check(watched, dir)?;
        fs::create_dir_all(dir).map_err(|err| unusable(dir, err))?;
        // What was made may be elsewhere than it seemed.
        Self::check(watched, dir)?;
        Ok(Self {
            watched: watched.to_owned(),
            dir: dir.canonicalize().map_err(|err| unusable(dir, err))?,
        })
    }

    /// Moves the file of a finished position, unless it has changed since. Done already, or gone, is fine.
    pub(super) async fn put(self, position: Position) -> Result<()> {
        let split = position.split.clone();
        let moved = tokio::task::spawn_blocking(move || {
            let name = from_path(position.split.path());
            match FileMark::of(&position) {
                Some(mark) => self.move_aside(&name, mark.stamp),
                None => Ok(()),
            }
        });
        moved
            .await
            .map_err(io::Error::other)
            .and_then(|moved| moved)
            .map_err(|err| Error::new(ErrorKind::Source, format!("can't archive {split}")).caused_by(err))
    }

    fn move_aside(&self, name: &OsStr, stamp: Stamp) -> io::Result<()> {
        let from = self.watched.join(name);
        match from.symlink_metadata() {
            // Changed since: new work for the next scan, which archives it when that is done.
            Ok(metadata) if Stamp::of(&metadata) != stamp => return Ok(()),
            Ok(_) => {}
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(err) => return Err(err),
        }
        let mut tries = 0_u32;
        let to = loop {
            let to = self.dir.join(numbered(name, tries));
            match rename_to_new(&from, &to) {
                Ok(()) => break to,
                Err(err) if err.kind() == io::ErrorKind::AlreadyExists => tries += 1,
                Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(err) => return Err(err),
            }
        };
        // It may have been written to, or replaced, between the look and the move.
        if Stamp::of(&to.symlink_metadata()?) != stamp {
            rename_to_new(&to, &from)?;
        }
        Ok(())
    }
}

fn unusable(dir: &Path, err: io::Error) -> Error {
    let message = format!("can't use {} as the archive", dir.display());
    Error::new(ErrorKind::Configuration, message).caused_by(err)
}

fn numbered(name: &OsStr, number: u32) -> OsString {
    let mut numbered = name.to_owned();
    if number > 0 {
        numbered.push(format!(".{number}"));
    }
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Split;

    fn finished(dir: &Path, name: &str) -> Position {
        let stamp = Stamp::of(&dir.join(name).metadata().unwrap());
        let mark = FileMark {
            stamp,
            digest: String::new(),
            unterminated: false,
            blank_lines: 0,
            ignored_columns: Vec::new(),
        };
        Position {
            split: Split::new("csv", name),
            offset: stamp.size,
            record: 0,
            state: SplitState::Finished,
            mark: mark.to_mark(),
        }
    }

    #[tokio::test]
    async fn nothing_is_replaced_and_changed_files_stay() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        fs::create_dir(&data).unwrap();
        let archive = Archive::prepare(&data.canonicalize().unwrap(), &root.path().join("done")).unwrap();
        let done = |name: &str| fs::read_to_string(root.path().join("done").join(name)).ok();

        fs::write(data.join("a.csv"), "one").unwrap();
        archive.clone().put(finished(&data, "a.csv")).await.unwrap();
        fs::write(data.join("a.csv"), "two").unwrap();
        let second = finished(&data, "a.csv");
        archive.clone().put(second.clone()).await.unwrap();
        assert_eq!(
            (done("a.csv"), done("a.csv.1")),
            (Some("one".into()), Some("two".into()))
        );

        // Told again, or changed since: nothing happens.
        archive.clone().put(second).await.unwrap();
        fs::write(data.join("b.csv"), "one").unwrap();
        let before = finished(&data, "b.csv");
        fs::write(data.join("b.csv"), "one and more").unwrap();
        archive.put(before).await.unwrap();
        assert_eq!((done("b.csv"), data.join("b.csv").exists()), (None, true));
    }

    #[test]
    fn an_archive_among_the_files_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().canonicalize().unwrap();
        let err = Archive::prepare(&data, &data.join("done")).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Configuration);
        assert!(!data.join("done").exists());
    }
}
