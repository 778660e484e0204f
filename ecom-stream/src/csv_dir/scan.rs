use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;

use super::mark::Stamp;

/// A file that a look at the directory found. The name of one in a sub-directory is its path there.
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
    /// Names that could not be looked at, and why.
    pub(super) failed: Vec<(OsString, io::Error)>,
    pub(super) passed_over: PassedOver,
}

/// How many files are looked up in the ledger at once.
const CHUNK_FILES: usize = 1_024;

/// Whether a file of that name is to be read at all.
pub(crate) fn is_to_be_read(name: &OsStr) -> bool {
    judge_name(name).is_ok()
}

/// The same, and if not why.
pub(super) fn judge_name(name: &OsStr) -> Result<(), Why> {
    let bytes = name.as_bytes();
    let ends_with =
        |ending: &[u8]| bytes.len() >= ending.len() && bytes[bytes.len() - ending.len()..].eq_ignore_ascii_case(ending);
    if is_hidden(name) {
        Err(Why::Hidden)
    } else if ends_with(b".tmp") || ends_with(b".part") {
        Err(Why::Temporary)
    } else if ![&b".csv"[..], b".csv.gz", b".csv.zst"]
        .iter()
        .any(|ending| ends_with(ending))
    {
        Err(Why::NotCsv)
    } else {
        Ok(())
    }
}

/// Whether the name of a file, or of a directory on the way to it, begins with a dot, or is the one in which Spark and Hadoop
/// write what they may give up and write again.
pub(super) fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes()
        .split(|byte| *byte == b'/')
        .any(|part| part.starts_with(b".") || part == b"_temporary")
}

/// Gathers what a scan finds into chunks.
#[derive(Debug, Default)]
pub(super) struct ChunkBuilder {
    found: Vec<Found>,
    failed: Vec<(OsString, io::Error)>,
    passed_over: PassedOver,
}

impl ChunkBuilder {
    /// Adds what a look gave; the chunk comes out when it is full.
    pub(super) fn add(&mut self, name: OsString, look: io::Result<Look>) -> Option<Chunk> {
        match look {
            Ok(Look::Found(found)) => self.found.push(found),
            Ok(Look::PassedOver(why)) => self.passed_over.add(why),
            Ok(Look::Gone) => {}
            // One file must not hide the others.
            Err(err) => self.failed.push((name, err)),
        }
        (self.found.len() == CHUNK_FILES).then(|| Chunk {
            found: std::mem::take(&mut self.found),
            failed: std::mem::take(&mut self.failed),
            passed_over: self.passed_over,
        })
    }

    /// What is left.
    pub(super) fn finish(self) -> Chunk {
        Chunk {
            found: self.found,
            failed: self.failed,
            passed_over: self.passed_over,
        }
    }
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
            (self.not_csv, "not .csv, .csv.gz or .csv.zst"),
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
