//! Writing a file that has its name only once it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::file_names::FileNames;
use super::rename::rename_to_new;
use crate::contract::{Error, Result};

/// A file that is written under a temporary name, and gets its own name when it is complete. If it is dropped before, it is
/// removed.
///
/// The file is locked while it is written. This tells the file of a running writer from the left-over of one that crashed. On a
/// file system without locks every file counts as a left-over, so two writers must not share a prefix there.
///
/// ```
/// use ecom_stream::AtomicFile;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("a.csv");
/// let mut file = AtomicFile::create(dir.path().join(".a.csv.tmp"))?.expect("nobody else writes it");
/// file.write(b"id\n1\n")?;
/// assert!(!path.exists());
/// file.sync()?;
/// assert!(file.appear(&path)?);
/// assert_eq!(std::fs::read(&path)?, b"id\n1\n");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    file: File,
    is_named: bool,
}

impl AtomicFile {
    /// Creates a file with that temporary name; `None` if there is one already.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn create(temporary: impl Into<PathBuf>) -> Result<Option<Self>> {
        Self::create_with(File::options(), temporary.into())
    }

    /// As [`create`](Self::create), but no other user may read or write the file.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn create_private(temporary: impl Into<PathBuf>) -> Result<Option<Self>> {
        let mut options = File::options();
        options.mode(0o600);
        Self::create_with(options, temporary.into())
    }

    fn create_with(mut options: OpenOptions, path: PathBuf) -> Result<Option<Self>> {
        let file = match options.write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(err) => return Err(Error::io("create", &path, err)),
        };
        // Before it was locked, a writer that starts may have removed it as a left-over.
        let is_taken = is_locked_elsewhere(&file);
        let links = file.metadata().map_err(|err| Error::io("open", &path, err))?.nlink();
        let is_ours = !is_taken && links > 0;
        Ok(is_ours.then_some(Self {
            path,
            file,
            is_named: false,
        }))
    }

    /// The path with the temporary name.
    pub fn temporary(&self) -> &Path {
        &self.path
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    ///
    /// When they cannot be written, for example since the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.map_err(|err| Error::io("write", &self.path, err))
    }

    /// Writes the content to disk, so that it survives a power failure.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn sync(&self) -> Result<()> {
        let synced = self.file.sync_all();
        synced.map_err(|err| Error::io("sync", &self.path, err))
    }

    /// Renames the file to `to`, unless that name is taken. Returns whether it was renamed; if not, try another name.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn appear(&mut self, to: &Path) -> Result<bool> {
        match rename_to_new(&self.path, to) {
            Ok(()) => self.is_named = true,
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
            Err(err) => return Err(Error::io("rename a file to", to, err)),
        }
        Ok(self.is_named)
    }

    /// Renames the file to `to`, and replaces a file that has this name. Returns the file, which keeps its lock until it is
    /// dropped.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    ///
    /// ```
    /// # use ecom_stream::AtomicFile;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("state");
    /// std::fs::write(&path, "old")?;
    /// let mut file = AtomicFile::create(dir.path().join(".state.tmp"))?.expect("nobody else writes it");
    /// file.write(b"new")?;
    /// file.replace(&path)?;
    /// assert_eq!(std::fs::read_to_string(&path)?, "new");
    /// # Ok(()) }
    /// ```
    pub fn replace(mut self, to: &Path) -> Result<File> {
        fs::rename(&self.path, to).map_err(|err| Error::io("rename a file to", to, err))?;
        self.is_named = true;
        self.file.try_clone().map_err(|err| Error::io("open", to, err))
    }

    /// Removes the temporary files of writers that crashed. Files that a running writer has locked stay.
    ///
    /// # Errors
    ///
    /// When the directory cannot be listed, or a file in it cannot be removed.
    ///
    /// ```
    /// # use ecom_stream::{AtomicFile, FileNames};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// let names = FileNames::new(dir.path(), "events")?;
    /// std::fs::write(names.temporary(1), "from a run that crashed")?;
    /// let in_use = AtomicFile::create(names.temporary(2))?.expect("nobody else writes it");
    /// AtomicFile::remove_left_overs(&names)?;
    /// assert!(!names.temporary(1).exists() && in_use.temporary().exists());
    /// # Ok(()) }
    /// ```
    pub fn remove_left_overs(names: &FileNames) -> Result<()> {
        for name in names.list()? {
            if !names.is_temporary(&name) {
                continue;
            }
            let path = names.dir().join(&name);
            // The open file keeps its lock until it is removed.
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
            // If this fails, the next run removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Locks the file; `true` if another holder has the lock.
fn is_locked_elsewhere(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_overs_are_removed_unless_a_writer_has_locked_them() {
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

        // After the rename, a file with the temporary name belongs to another writer.
        let mut renamed = AtomicFile::create(names.temporary(3)).unwrap().unwrap();
        assert!(renamed.appear(&names.whole(3)).unwrap());
        fs::write(names.temporary(3), "of another").unwrap();
        drop(renamed);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn appear_replaces_no_file_and_replace_does() {
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
