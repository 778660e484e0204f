use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::FileType;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::mark::Stamp;

/// A file that a look at the directory found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: OsString,
    pub(super) stamp: Stamp,
}

/// What a look at one name gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    Found(Found),
    PassedOver(Why),
    Gone,
}

/// Why something in the directory is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Hidden,
    Temporary,
    NotCsv,
    Symlink,
    NotRegular,
}

/// How many entries of the directory were passed over in one scan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PassedOver {
    hidden: u64,
    temporary: u64,
    not_csv: u64,
    symlinks: u64,
    not_regular: u64,
}

/// Some of what a scan found. The counts are those of the scan so far.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) found: Vec<Found>,
    /// Names that could not be looked at.
    pub(super) failed: Vec<OsString>,
    pub(super) passed_over: PassedOver,
}

/// How many files are looked up in the ledger at once.
const CHUNK_FILES: usize = 1_024;

/// Whether a file of that name is to be read at all.
pub(super) fn judge_name(name: &OsStr) -> Result<(), Why> {
    let bytes = name.as_bytes();
    let ends_with =
        |ending: &[u8]| bytes.len() >= ending.len() && bytes[bytes.len() - ending.len()..].eq_ignore_ascii_case(ending);
    if bytes.starts_with(b".") {
        Err(Why::Hidden)
    } else if ends_with(b".tmp") || ends_with(b".part") {
        Err(Why::Temporary)
    } else if !ends_with(b".csv") {
        Err(Why::NotCsv)
    } else {
        Ok(())
    }
}

fn judge_type(file_type: FileType) -> Result<(), Why> {
    if file_type.is_symlink() {
        Err(Why::Symlink)
    } else if !file_type.is_file() {
        Err(Why::NotRegular)
    } else {
        Ok(())
    }
}

/// Looks at one name; never follows a symlink, never blocks on a FIFO.
pub(super) fn look(dir: &Path, name: &OsStr) -> io::Result<Look> {
    if let Err(why) = judge_name(name) {
        return Ok(Look::PassedOver(why));
    }
    let metadata = match dir.join(name).symlink_metadata() {
        Ok(metadata) => metadata,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Look::Gone),
        Err(err) => return Err(err),
    };
    Ok(match judge_type(metadata.file_type()) {
        Ok(()) => Look::Found(Found {
            name: name.to_owned(),
            stamp: Stamp::of(&metadata),
        }),
        Err(why) => Look::PassedOver(why),
    })
}

/// Looks at every name in the directory, on a thread of its own, chunk by chunk: a directory of a million files never
/// stands in memory whole. The last chunk may be empty; an error ends it.
pub(super) fn scan(dir: PathBuf) -> mpsc::Receiver<io::Result<Chunk>> {
    let (chunks, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        // Fails only when the source was dropped.
        let _ = match scan_into(&dir, &chunks) {
            Ok(last) => chunks.blocking_send(Ok(last)),
            Err(err) => chunks.blocking_send(Err(err)),
        };
    });
    receiver
}

fn scan_into(dir: &Path, chunks: &mpsc::Sender<io::Result<Chunk>>) -> io::Result<Chunk> {
    let mut chunk = Chunk {
        found: Vec::new(),
        failed: Vec::new(),
        passed_over: PassedOver::default(),
    };
    for entry in dir.read_dir()? {
        let name = entry?.file_name();
        match look(dir, &name) {
            Ok(Look::Found(found)) => chunk.found.push(found),
            Ok(Look::PassedOver(why)) => chunk.passed_over.add(why),
            Ok(Look::Gone) => {}
            // One file must not hide the others.
            Err(err) => {
                tracing::warn!("can't look at {name:?}: {err}");
                chunk.failed.push(name);
            }
        }
        if chunk.found.len() == CHUNK_FILES {
            let full = Chunk {
                found: std::mem::take(&mut chunk.found),
                failed: std::mem::take(&mut chunk.failed),
                passed_over: chunk.passed_over,
            };
            if chunks.blocking_send(Ok(full)).is_err() {
                break;
            }
        }
    }
    Ok(chunk)
}

impl PassedOver {
    /// What stays passed over; files that are still being written come and go.
    pub(super) fn lasting(self) -> Self {
        Self {
            hidden: 0,
            temporary: 0,
            ..self
        }
    }

    fn add(&mut self, why: Why) {
        *match why {
            Why::Hidden => &mut self.hidden,
            Why::Temporary => &mut self.temporary,
            Why::NotCsv => &mut self.not_csv,
            Why::Symlink => &mut self.symlinks,
            Why::NotRegular => &mut self.not_regular,
        } += 1;
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.hidden, "hidden"),
            (self.temporary, "temporary (.tmp, .part)"),
            (self.not_csv, "without the ending .csv"),
            (self.symlinks, "symbolic links"),
            (self.not_regular, "directories or special files"),
        ];
        let shown: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        match shown.is_empty() {
            true => f.write_str("nothing"),
            false => f.write_str(&shown.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn only_plain_csv_files_are_found() {
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
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let mut chunks = scan(dir.path().to_owned());
        let chunk = chunks.recv().await.unwrap().unwrap();
        let mut names: Vec<_> = chunk.found.iter().map(|found| found.name.to_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["B.CSV", "a.csv"]);
        assert_eq!(
            chunk.passed_over.to_string(),
            "1 hidden, 2 temporary (.tmp, .part), 1 without the ending .csv, 1 symbolic links, 2 directories or special \
             files"
        );
        assert!(chunks.recv().await.is_none());
    }

    #[tokio::test]
    async fn many_files_come_in_chunks() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..2_500 {
            fs::write(dir.path().join(format!("{n}.csv")), "").unwrap();
        }
        let mut chunks = scan(dir.path().to_owned());
        let mut sizes = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            sizes.push(chunk.unwrap().found.len());
        }
        assert_eq!(sizes, [1_024, 1_024, 452]);
    }
}
