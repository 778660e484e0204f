use std::any::Any;
use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncSeek};
use tokio::sync::mpsc;

use super::hints::Hints;
use super::mark::Stamp;
use super::scan::{Chunk, Look};

/// What the source asks of the file system: [`Disk`](super::disk::Disk) answers in real life, and a simulated directory
/// in tests that try thousands of histories.
pub(super) trait Directory: Clone + Send + Sync + 'static {
    type File: AsyncRead + AsyncSeek + Unpin + Send + Sync;

    /// Where it is.
    fn path(&self) -> &Path;

    /// Device and inode of the directory that has the path now, if there is one.
    fn identity(&self) -> Option<(u64, u64)>;

    /// Has `hints` told what happens in the directory, until the answer is dropped.
    fn listen(&self, hints: Arc<Hints>) -> io::Result<Box<dyn Any + Send + Sync>>;

    /// Looks at every name, chunk by chunk: a directory of a million files never stands in memory whole. The last chunk may
    /// be empty; an error ends it.
    fn scan(&self) -> mpsc::Receiver<io::Result<Chunk>>;

    /// Looks at one name.
    fn look(&self, name: &OsStr) -> io::Result<Look>;

    /// Opens a plain file; `None` if there is none of that name.
    fn open(&self, name: &OsStr) -> impl Future<Output = io::Result<Option<(Self::File, Stamp)>>> + Send;

    /// What an open file is like now.
    fn stamp(file: &Self::File) -> impl Future<Output = io::Result<Stamp>> + Send;

    /// Nanoseconds since 1970.
    fn wall_ns(&self) -> i64;

    /// What is at a path, in this directory or another; never follows a symlink.
    fn stamp_at(&self, path: &Path) -> io::Result<Stamp>;

    /// The names in this directory, and in its sub-directories, that begin so.
    fn names_with(&self, prefix: &str) -> io::Result<Vec<std::ffi::OsString>>;

    /// Renames a file, and fails with [`AlreadyExists`](io::ErrorKind::AlreadyExists) rather than replace another.
    fn rename_to_new(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the directories of `path`, relative to `under`, which must be there.
    fn make_directories(&self, under: &Path, path: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Runs what may block where it holds up nobody.
    fn off_thread<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> impl Future<Output = io::Result<R>> + Send;
}
