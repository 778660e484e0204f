//! A directory of the real file system.

use std::any::Any;
use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use rustix::fs::{Mode, OFlags};
use tokio::fs::File;
use tokio::sync::mpsc;

use super::directory::Directory;
use super::mark::FileStat;
use super::notifications::Notifications;
use super::scan::{Chunk, ChunkBuilder, FoundFile, SkipReason, StatResult, skip_reason_of_name};
use crate::connectors::rename::rename_to_new;
use crate::csv::{Charset, FileForm, NamePatterns, is_hidden};

/// A directory of the file system, as the source reads it. Clones are the same directory.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    path: Arc<Path>,
    /// Whether sub-directories are read too.
    recursive: bool,
    /// The encoding of its files; `None`: UTF-8.
    charset: Option<Charset>,
    names: NamePatterns,
}

impl Disk {
    /// The directory at `path`, without its sub-directories.
    pub(super) fn new(path: impl Into<Arc<Path>>) -> Self {
        Self {
            path: path.into(),
            recursive: false,
            charset: None,
            names: NamePatterns::default(),
        }
    }

    /// Sets the encoding of the files.
    pub(super) fn charset(self, charset: Option<Charset>) -> Self {
        Self { charset, ..self }
    }

    /// Whether files in sub-directories are read too, at any depth.
    pub(super) fn recursive(self, recursive: bool) -> Self {
        Self { recursive, ..self }
    }

    /// The names of the files that are read.
    pub(super) fn reading(self, names: NamePatterns) -> Self {
        Self { names, ..self }
    }

    /// Calls `see` for every entry, until `see` breaks. It gets the path relative to this directory, and whether the entry is
    /// a sub-directory whose entries follow. A sub-directory that cannot be read is an error for `see`, and the walk goes on.
    ///
    /// # Errors
    ///
    /// When the directory itself cannot be read.
    fn walk(&self, mut see: impl FnMut(OsString, io::Result<bool>) -> ControlFlow<()>) -> io::Result<()> {
        let mut directories = vec![OsString::new()];
        while let Some(directory) = directories.pop() {
            let is_top = directory.is_empty();
            let entries = match self.path.join(&directory).read_dir() {
                Ok(entries) => entries,
                Err(err) if is_top => return Err(err),
                Err(err) if err.kind() == io::ErrorKind::NotFound => continue,
                Err(err) => {
                    if see(directory, Err(err)).is_break() {
                        return Ok(());
                    }
                    continue;
                }
            };
            for entry in entries {
                let entry = entry?;
                let mut name = directory.clone();
                if !is_top {
                    name.push("/");
                }
                name.push(entry.file_name());
                // `file_type` does not follow links.
                let descend = self.recursive && !is_hidden(&name) && entry.file_type().is_ok_and(|of| of.is_dir());
                if descend {
                    directories.push(name.clone());
                }
                if see(name, Ok(descend)).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Scans the directory, sends each full chunk, and returns the rest.
    fn scan_into(&self, chunks: &mpsc::Sender<io::Result<Chunk>>) -> io::Result<Chunk> {
        let mut chunk = ChunkBuilder::default();
        self.walk(|name, entry| {
            let stat = match entry {
                Ok(true) => return ControlFlow::Continue(()),
                Ok(false) => self.stat(&name),
                Err(err) => Err(err),
            };
            let full = chunk.add(name, stat);
            match full.is_none_or(|full| chunks.blocking_send(Ok(full)).is_ok()) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        Ok(chunk.finish())
    }
}

impl Directory for Disk {
    type File = File;

    fn form_of(&self, name: &OsStr) -> FileForm {
        FileForm::of(name, self.charset)
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn names(&self) -> NamePatterns {
        self.names.clone()
    }

    fn device_inode(&self) -> Option<(u64, u64)> {
        let metadata = self.path.metadata().ok()?;
        Some((metadata.dev(), metadata.ino()))
    }

    fn listen(&self, notifications: Arc<Notifications>) -> io::Result<Box<dyn Any + Send + Sync>> {
        let path = self.path.clone();
        let config = notify::Config::default().with_follow_symlinks(false);
        let mut watcher =
            RecommendedWatcher::new(move |event| notifications.hear(&path, event), config).map_err(io::Error::other)?;
        let mode = match self.recursive {
            true => RecursiveMode::Recursive,
            false => RecursiveMode::NonRecursive,
        };
        watcher.watch(&self.path, mode).map_err(io::Error::other)?;
        Ok(Box::new(watcher))
    }

    fn scan(&self) -> mpsc::Receiver<io::Result<Chunk>> {
        let (chunks, receiver) = mpsc::channel(2);
        let disk = self.clone();
        tokio::task::spawn_blocking(move || {
            // This fails only when the source was dropped.
            let _ = match disk.scan_into(&chunks) {
                Ok(last) => chunks.blocking_send(Ok(last)),
                Err(err) => chunks.blocking_send(Err(err)),
            };
        });
        receiver
    }

    /// Does not follow a symbolic link.
    fn stat(&self, name: &OsStr) -> io::Result<StatResult> {
        if let Some(why) = skip_reason_of_name(&self.names, name) {
            return Ok(StatResult::Skipped(why));
        }
        let metadata = match self.path.join(name).symlink_metadata() {
            Ok(metadata) => metadata,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(StatResult::Gone),
            Err(err) => return Err(err),
        };
        Ok(match check_type(metadata.file_type()) {
            Ok(()) => StatResult::Found(FoundFile {
                name: name.to_owned(),
                stat: FileStat::of(&metadata),
            }),
            Err(why) => StatResult::Skipped(why),
        })
    }

    /// Does not follow a symbolic link, and does not wait for the writer of a pipe.
    async fn open(&self, name: &OsStr) -> io::Result<Option<(File, FileStat)>> {
        let path = self.path.join(name);
        let opened = self.off_thread(move || open_regular(&path)).await?;
        Ok(opened.map(|(file, stat)| (File::from_std(file), stat)))
    }

    async fn stat_open(file: &File) -> io::Result<FileStat> {
        Ok(FileStat::of(&file.metadata().await?))
    }

    fn wall_ns(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }

    fn stat_path(&self, path: &Path) -> io::Result<FileStat> {
        Ok(FileStat::of(&path.symlink_metadata()?))
    }

    fn names_with(&self, prefix: &str) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        self.walk(|name, _| {
            if Path::new(&name)
                .file_name()
                .is_some_and(|file| file.as_bytes().starts_with(prefix.as_bytes()))
            {
                names.push(name);
            }
            ControlFlow::Continue(())
        })?;
        Ok(names)
    }

    fn rename_to_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        rename_to_new(from, to)
    }

    fn make_directories(&self, under: &Path, path: &Path) -> io::Result<()> {
        // An archive on an unmounted file system must not be created again on the disk below.
        under.metadata()?;
        fs::create_dir_all(under.join(path))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    async fn off_thread<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
    }
}

/// Why something of that type is not read, if so.
fn check_type(file_type: FileType) -> Result<(), SkipReason> {
    if file_type.is_symlink() {
        Err(SkipReason::Symlink)
    } else if !file_type.is_file() {
        Err(SkipReason::NotRegular)
    } else {
        Ok(())
    }
}

/// Opens a regular file, and nothing else: neither follows a symbolic link nor waits for the other end of a pipe.
fn open_regular(path: &Path) -> io::Result<Option<(fs::File, FileStat)>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => fs::File::from(file),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => return Ok(None),
        Err(err) => return Err(err.into()),
    };
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then(|| (file, FileStat::of(&metadata))))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn only_regular_csv_files_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["a.csv", "B.CSV", ".hidden.csv", "a.csv.tmp", "b.part", "notes.txt"] {
            fs::write(at(name), "x").unwrap();
        }
        fs::create_dir(at("dir.csv")).unwrap();
        symlink("/dev/zero", at("zero.csv")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("fifo.csv"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR,
            0,
        )
        .unwrap();
        let mut chunks = Disk::new(dir.path()).scan();
        let chunk = chunks.recv().await.unwrap().unwrap();
        let mut names: Vec<_> = chunk.found.iter().map(|found| found.name.to_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["B.CSV", "a.csv"]);
        assert_eq!(
            chunk.skipped.to_string(),
            "1 hidden, 2 temporary (.tmp, .part), 1 with names that are not read, 1 symbolic links, 2 directories or special \
             files"
        );
        assert!(chunks.recv().await.is_none());
    }

    #[tokio::test]
    async fn temporary_directories_of_spark_are_skipped() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "_temporary/0/a.csv",
            "date=1/_temporary/b.csv",
            "date=1/.c/d.csv",
            "date=1/e.csv",
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let mut chunks = Disk::new(dir.path()).recursive(true).scan();
        let chunk = chunks.recv().await.unwrap().unwrap();
        let names: Vec<_> = chunk.found.iter().map(|found| found.name.to_str().unwrap()).collect();
        assert_eq!(names, ["date=1/e.csv"]);
    }

    #[tokio::test]
    async fn a_large_directory_comes_in_chunks() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..2_500 {
            fs::write(dir.path().join(format!("{n}.csv")), "").unwrap();
        }
        let mut chunks = Disk::new(dir.path()).scan();
        let mut sizes = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            sizes.push(chunk.unwrap().found.len());
        }
        assert_eq!(sizes, [1_024, 1_024, 452]);
    }
}
