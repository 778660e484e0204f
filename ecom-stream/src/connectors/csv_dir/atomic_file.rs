use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::file_name::FileNames;
use super::rename::rename_to_new;
use crate::contract::{Error, Result};

/// A file that appears whole: it is written under a hidden temporary name and gets its own when it is done. Dropped
/// before, it is removed.
///
/// It is locked, so that what a crashed run has left can be told from what another one writes. A file system without
/// locks counts as unlocked: there, two writers must not share a prefix.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    file: File,
    is_named: bool,
}

impl AtomicFile {
    /// Creates the file of that temporary name; `None` if another is at work on it.
    ///
    /// # Errors
    ///
    /// When it can't be created.
    pub fn create(temporary: impl Into<PathBuf>) -> Result<Option<Self>> {
        let path = temporary.into();
        let file = match File::options().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(err) => return Err(Error::io("create", &path, err)),
        };
        // Between creating and locking, a run that starts may have taken it for a left-over.
        let is_taken = is_locked_elsewhere(&file);
        let links = file.metadata().map_err(|err| Error::io("open", &path, err))?.nlink();
        let is_ours = !is_taken && links > 0;
        Ok(is_ours.then_some(Self {
            path,
            file,
            is_named: false,
        }))
    }

    /// Its temporary name.
    pub fn temporary(&self) -> &Path {
        &self.path
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Writes on.
    ///
    /// # Errors
    ///
    /// When the file can't take it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.map_err(|err| Error::io("write", &self.path, err))
    }

    /// Forces to disk what was written.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn sync(&self) -> Result<()> {
        let synced = self.file.sync_all();
        synced.map_err(|err| Error::io("sync", &self.path, err))
    }

    /// Gives it the name `to`, unless a file has that: then says no, and another name can be tried.
    ///
    /// # Errors
    ///
    /// When it can't be renamed.
    pub fn appear(&mut self, to: &Path) -> Result<bool> {
        match rename_to_new(&self.path, to) {
            Ok(()) => self.is_named = true,
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
            Err(err) => return Err(Error::io("rename a file to", to, err)),
        }
        Ok(self.is_named)
    }

    /// Gives it the name `to`, in place of the file that has it, and hands it over with its lock.
    ///
    /// # Errors
    ///
    /// When it can't be renamed.
    pub fn replace(mut self, to: &Path) -> Result<File> {
        fs::rename(&self.path, to).map_err(|err| Error::io("rename a file to", to, err))?;
        self.is_named = true;
        self.file.try_clone().map_err(|err| Error::io("open", to, err))
    }

    /// Removes what crashed runs have left behind; what another process is writing stays.
    ///
    /// # Errors
    ///
    /// When the directory can't be listed, or a file in it not be removed.
    pub fn remove_left_overs(names: &FileNames) -> Result<()> {
        for name in names.list()? {
            if !names.is_temporary(&name) {
                continue;
            }
            let path = names.dir().join(&name);
            // The file stays open, and so locked, until it is removed.
            if let Ok(file) = File::open(&path)
                && !is_locked_elsewhere(&file)
            {
                tracing::info!(path = %path.display(), "removing the unfinished file of an earlier run");
                match fs::remove_file(&path) {
                    Err(err) if err.kind() != io::ErrorKind::NotFound => {
                        return Err(Error::io("remove", &path, err));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.is_named {
            // What stays is removed by the next run.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Locks the file.
fn is_locked_elsewhere(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_overs_go_unless_another_writes_them() {
        let dir = tempfile::tempdir().unwrap();
        let names = FileNames::new(dir.path(), "events").unwrap();
        fs::write(names.temporary(3), "crashed").unwrap();
        assert!(AtomicFile::create(names.temporary(3)).unwrap().is_none());
        let in_use = AtomicFile::create(names.temporary(4)).unwrap().unwrap();
        AtomicFile::remove_left_overs(&names).unwrap();
        assert!(!names.temporary(3).exists());
        assert!(in_use.temporary().exists());
        drop(in_use);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

        // Once renamed, what has the temporary name is another's.
        let mut renamed = AtomicFile::create(names.temporary(3)).unwrap().unwrap();
        assert!(renamed.appear(&names.whole(3)).unwrap());
        fs::write(names.temporary(3), "of another").unwrap();
        drop(renamed);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_name_that_is_taken_is_replaced_only_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let (temporary, taken) = (dir.path().join(".a.tmp"), dir.path().join("a"));
        fs::write(&taken, "old").unwrap();
        let mut file = AtomicFile::create(&temporary).unwrap().unwrap();
        file.write(b"new").unwrap();
        assert!(!file.appear(&taken).unwrap());
        assert_eq!(fs::read_to_string(&taken).unwrap(), "old");
        let file = file.replace(&taken).unwrap();
        assert_eq!(fs::read_to_string(&taken).unwrap(), "new");
        assert!(is_locked_elsewhere(&File::open(&taken).unwrap()));
        drop(file);
        assert!(!is_locked_elsewhere(&File::open(&taken).unwrap()));
    }
}
