use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use csv_async::{AsyncWriter, AsyncWriterBuilder, ByteRecord};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::file_name::FileNames;
use super::rename::rename_to_new;
use crate::{Error, ErrorKind, Result};

/// Larger writes were not faster when measured.
const BUFFER_BYTES: usize = 256 * 1024;

/// A file that is being written under a temporary name. Dropped before [`finish`](Self::finish), it is removed.
pub(super) struct OpenFile {
    writer: AsyncWriter<tokio::fs::File>,
    temporary: Temporary,
    sequence: u64,
    rows: u64,
    roll_at: Option<Instant>,
}

/// Removes the file when dropped, unless it was renamed.
struct Temporary {
    path: PathBuf,
    /// Holds the lock that tells other sinks that the file is in use.
    lock: File,
    renamed: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // What stays is removed by the next run.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Temporary {
    fn rename(&mut self, to: &Path) -> io::Result<()> {
        rename_to_new(&self.path, to)?;
        self.renamed = true;
        Ok(())
    }
}

impl OpenFile {
    /// Opens the file with the first free number from `sequence` on and writes the header.
    pub(super) async fn create(
        names: &FileNames,
        sequence: u64,
        columns: &[&str],
        roll_at: Option<Instant>,
    ) -> Result<Self> {
        let names = names.clone();
        let (sequence, temporary, file) = blocking(move || create_locked(&names, sequence)).await?;
        let mut writer = AsyncWriterBuilder::new()
            .buffer_capacity(BUFFER_BYTES)
            .create_writer(tokio::fs::File::from_std(file));
        crate::crash_point!("csv_sink.created");
        let header = writer.write_record(columns).await;
        header.map_err(|err| cant("write", &temporary.path, err.into()))?;
        Ok(Self {
            writer,
            temporary,
            sequence,
            rows: 0,
            roll_at,
        })
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn roll_at(&self) -> Option<Instant> {
        self.roll_at
    }

    pub(super) async fn write(&mut self, record: &ByteRecord) -> Result<()> {
        let written = self.writer.write_byte_record(record).await;
        written.map_err(|err| cant("write", &self.temporary.path, err.into()))?;
        self.rows += 1;
        crate::crash_point!("csv_sink.row_written");
        Ok(())
    }

    /// Gives the file its name, or the next one that is free, and says which number that was.
    pub(super) async fn finish(mut self, names: &FileNames, sync: bool) -> Result<u64> {
        let flushed = self.writer.flush().await;
        flushed.map_err(|err| cant("write", &self.temporary.path, err))?;
        let names = names.clone();
        let (mut temporary, mut sequence) = (self.temporary, self.sequence);
        blocking(move || {
            if sync {
                let synced = temporary.lock.sync_all();
                synced.map_err(|err| cant("sync", &temporary.path, err))?;
            }
            crate::crash_point!("csv_sink.before_rename");
            loop {
                let to = names.whole(sequence);
                match temporary.rename(&to) {
                    Ok(()) => break,
                    Err(err) if err.kind() == io::ErrorKind::AlreadyExists => sequence += 1,
                    Err(err) => return Err(cant("rename a file to", &to, err)),
                }
            }
            crate::crash_point!("csv_sink.renamed");
            if sync {
                let synced = File::open(names.dir()).and_then(|dir| dir.sync_all());
                synced.map_err(|err| cant("sync", names.dir(), err))?;
            }
            Ok(sequence)
        })
        .await
    }
}

fn create_locked(names: &FileNames, first: u64) -> Result<(u64, Temporary, File)> {
    let mut sequence = first;
    loop {
        let path = names.temporary(sequence);
        let file = match File::options().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            // Another sink of the same prefix is at work.
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
                sequence += 1;
                continue;
            }
            Err(err) => return Err(cant("create", &path, err)),
        };
        // Between creating and locking, a sink that starts may have taken it for a left-over.
        let taken = is_locked_elsewhere(&file);
        let looked = file
            .metadata()
            .and_then(|metadata| Ok((metadata.nlink(), file.try_clone()?)));
        let (links, lock) = looked.map_err(|err| cant("open", &path, err))?;
        if taken || links == 0 {
            sequence += 1;
            continue;
        }
        let temporary = Temporary {
            path,
            lock,
            renamed: false,
        };
        return Ok((sequence, temporary, file));
    }
}

/// Removes what crashed runs have left behind; what another process is writing stays.
pub(super) fn remove_left_overs(names: &FileNames) -> Result<()> {
    for name in list(names)? {
        let path = names.dir().join(&name);
        if !names.is_temporary(&name) {
            continue;
        }
        // The file stays open, and so locked, until it is removed.
        if let Ok(file) = File::open(&path)
            && !is_locked_elsewhere(&file)
        {
            tracing::info!(path = %path.display(), "removing the unfinished file of an earlier run");
            match fs::remove_file(&path) {
                Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(cant("remove", &path, err)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The highest number in the name of a file that is there; 0 without any.
pub(super) fn highest_sequence(names: &FileNames) -> Result<u64> {
    let highest = list(names)?.iter().filter_map(|name| names.sequence(name)).max();
    Ok(highest.unwrap_or(0))
}

fn list(names: &FileNames) -> Result<Vec<String>> {
    let read = || -> io::Result<Vec<String>> {
        let entries = fs::read_dir(names.dir())?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        entries.filter_map(Result::transpose).collect()
    };
    read().map_err(|err| cant("list", names.dir(), err))
}

/// Locks the file. A file system without locks counts as unlocked: there, two sinks must not share a prefix.
fn is_locked_elsewhere(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
}

pub(super) async fn blocking<R: Send + 'static>(f: impl FnOnce() -> Result<R> + Send + 'static) -> Result<R> {
    match spawn_blocking(f).await {
        Ok(result) => result,
        Err(err) => Err(Error::new(ErrorKind::Panicked, "writing a CSV file panicked or was given up").caused_by(err)),
    }
}

/// The error for what could not be done to `path`, with what helps against it.
pub(super) fn cant(act: &str, path: &Path, cause: io::Error) -> Error {
    let hint = match cause.kind() {
        io::ErrorKind::StorageFull => Some("the disk is full: free some space and start again"),
        io::ErrorKind::QuotaExceeded => Some("the disk quota is used up: free some space and start again"),
        io::ErrorKind::PermissionDenied => Some("the user of this process must be allowed to write there"),
        io::ErrorKind::ReadOnlyFilesystem => Some("the file system is mounted read-only: choose another directory"),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            Some("a file is in the way: choose another directory")
        }
        _ => None,
    };
    let err = Error::new(ErrorKind::Sink, format!("can't {act} {}", path.display())).caused_by(cause);
    match hint {
        Some(hint) => err.hint(hint),
        None => err,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_overs_go_unless_another_sink_writes_them() {
        let dir = tempfile::tempdir().unwrap();
        let names = FileNames::new(dir.path(), "events").unwrap();
        fs::write(names.temporary(3), "crashed").unwrap();
        let (sequence, in_use, _file) = create_locked(&names, 3).unwrap();
        assert_eq!(sequence, 4);
        remove_left_overs(&names).unwrap();
        assert!(!names.temporary(3).exists());
        assert!(in_use.path.exists());
        drop(in_use);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

        // Once renamed, what has the temporary name is another sink's.
        let (sequence, mut renamed, _file) = create_locked(&names, 3).unwrap();
        renamed.rename(&names.whole(sequence)).unwrap();
        fs::write(names.temporary(sequence), "of another").unwrap();
        drop(renamed);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
