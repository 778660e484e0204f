//! The file system as the source sees it, as a trait.

use std::any::Any;
use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncSeek};
use tokio::sync::mpsc;

use super::mark::FileStat;
use super::notifications::Notifications;
use super::scan::{Chunk, StatResult};
use crate::csv::{FileForm, NamePatterns};

/// The directory that a source reads, with everything that the source asks of the file system and the clock.
///
/// [`Disk`](super::disk::Disk) is a real directory. Tests use a simulated one, to try thousands of histories. Names are
/// relative to the directory; a `Path` is absolute.
pub(super) trait Directory: Clone + Send + Sync + 'static {
    /// An open file. It stays the same file when its name is removed or given to another file.
    type File: AsyncRead + AsyncSeek + Unpin + Send + Sync;

    /// The path of the directory.
    fn path(&self) -> &Path;

    /// The names of the files that are read.
    fn names(&self) -> NamePatterns {
        NamePatterns::default()
    }

    /// Device and inode of the directory that has the path now; `None` if there is none.
    fn device_inode(&self) -> Option<(u64, u64)>;

    /// Reports changes in the directory to `notifications`, until the returned value is dropped.
    fn listen(&self, notifications: Arc<Notifications>) -> io::Result<Box<dyn Any + Send + Sync>>;

    /// Lists the directory in chunks, so that a directory of a million files is never in memory at once. The channel closes
    /// after the last chunk, which may be empty, or after an error.
    fn scan(&self) -> mpsc::Receiver<io::Result<Chunk>>;

    /// What the directory has under one name.
    fn stat(&self, name: &OsStr) -> io::Result<StatResult>;

    /// Opens a regular file; `None` if there is none of that name.
    fn open(&self, name: &OsStr) -> impl Future<Output = io::Result<Option<(Self::File, FileStat)>>> + Send;

    /// Size, modification time and inode of an open file.
    fn stat_open(file: &Self::File) -> impl Future<Output = io::Result<FileStat>> + Send;

    /// How the content of a file with that name is stored.
    fn form_of(&self, name: &OsStr) -> FileForm {
        FileForm::of(name, None)
    }

    /// The wall clock, in nanoseconds since 1970.
    fn wall_ns(&self) -> i64;

    /// Size, modification time and inode of what is at a path, in this directory or elsewhere. Does not follow a symbolic link.
    fn stat_path(&self, path: &Path) -> io::Result<FileStat>;

    /// The names in this directory and its sub-directories whose last part begins with `prefix`.
    fn names_with(&self, prefix: &str) -> io::Result<Vec<std::ffi::OsString>>;

    /// Renames a file. Fails with [`AlreadyExists`](io::ErrorKind::AlreadyExists) instead of replacing another file.
    fn rename_to_new(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Creates the directories of the relative `path` below `under`. Fails if `under` does not exist.
    fn make_directories(&self, under: &Path, path: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Runs `work`, which may block, on a thread where it holds up no task.
    fn off_thread<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> impl Future<Output = io::Result<R>> + Send;
}
