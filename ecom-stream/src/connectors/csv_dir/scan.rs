use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;

use super::mark::Stamp;
use crate::csv::{is_csv, is_hidden, is_temporary};

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

/// Why a file of that name is passed over, if it is.
pub(super) fn passed_over_by_name(name: &OsStr) -> Option<Why> {
    if is_hidden(name) {
        Some(Why::Hidden)
    } else if is_temporary(name) {
        Some(Why::Temporary)
    } else if !is_csv(name) {
        Some(Why::NotCsv)
    } else {
        None
    }
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
