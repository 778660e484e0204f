//! What a scan finds: the files to read, and the names that are skipped.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;

use super::mark::FileStat;
use crate::csv::{NamePatterns, is_hidden, is_numbered_csv, is_temporary};

/// A file that was found in the directory. The name of a file in a sub-directory is its relative path, such as `hour=09/a.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundFile {
    pub(super) name: OsString,
    pub(super) stat: FileStat,
}

/// What the directory has under one name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StatResult {
    /// A file to read.
    Found(FoundFile),
    /// Something that is not read.
    Skipped(SkipReason),
    /// Nothing.
    Gone,
}

/// Why an entry of the directory is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SkipReason {
    /// Its name, or that of a directory above it, begins with a dot.
    Hidden,
    /// Its name says that it is still being written: `.tmp`, `.part`.
    Temporary,
    /// Its name is that of a CSV file with a number behind it, such as `a.csv.1`.
    Numbered,
    /// Its name is neither that of a CSV file nor one that is asked for.
    OtherName,
    /// A symbolic link, which is never followed.
    Symlink,
    /// A directory, a pipe, a device or a socket.
    NotRegular,
}

/// How many entries of the directory one scan skipped, by reason. `Display` lists the reasons for the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SkippedCounts {
    hidden: u64,
    temporary: u64,
    numbered: u64,
    other_name: u64,
    symlinks: u64,
    not_regular: u64,
}

/// A part of what a scan found, of at most [`CHUNK_FILES`] files.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) found: Vec<FoundFile>,
    /// Names that could not be examined, with the error. The scan goes on after them.
    pub(super) failed: Vec<(OsString, io::Error)>,
    /// The counts of the scan up to here, not of this chunk alone.
    pub(super) skipped: SkippedCounts,
}

/// How many files are looked up in the ledger with one query.
const CHUNK_FILES: usize = 1_024;

/// The hidden name of a file that is being removed begins with this and a number.
pub(super) const REMOVING_PREFIX: &str = ".ecom-aside.";

/// Why a file of that name is skipped, as far as the name tells; `None` if it may be read.
pub(super) fn skip_reason_of_name(names: &NamePatterns, name: &OsStr) -> Option<SkipReason> {
    if is_hidden(name) {
        Some(SkipReason::Hidden)
    } else if is_temporary(name) {
        Some(SkipReason::Temporary)
    } else if names.fit(name) {
        None
    } else if is_numbered_csv(name) {
        Some(SkipReason::Numbered)
    } else {
        Some(SkipReason::OtherName)
    }
}

/// Collects what a scan finds into chunks.
#[derive(Debug, Default)]
pub(super) struct ChunkBuilder {
    found: Vec<FoundFile>,
    failed: Vec<(OsString, io::Error)>,
    skipped: SkippedCounts,
}

impl ChunkBuilder {
    /// Adds what the directory has under `name`. Returns the chunk once it is full.
    pub(super) fn add(&mut self, name: OsString, stat: io::Result<StatResult>) -> Option<Chunk> {
        match stat {
            Ok(StatResult::Found(found)) => self.found.push(found),
            Ok(StatResult::Skipped(why)) => self.skipped.add(why),
            Ok(StatResult::Gone) => {}
            // An error of one file must not end the scan.
            Err(err) => self.failed.push((name, err)),
        }
        (self.found.len() == CHUNK_FILES).then(|| Chunk {
            found: std::mem::take(&mut self.found),
            failed: std::mem::take(&mut self.failed),
            skipped: self.skipped,
        })
    }

    /// The last chunk, which may be empty.
    pub(super) fn finish(self) -> Chunk {
        Chunk {
            found: self.found,
            failed: self.failed,
            skipped: self.skipped,
        }
    }
}

impl SkippedCounts {
    /// The counts without files that are still being written, which change with every scan.
    pub(super) fn lasting(self) -> Self {
        Self {
            hidden: 0,
            temporary: 0,
            ..self
        }
    }

    /// How many names are those of CSV files with a number behind, such as `a.csv.1`.
    pub(super) fn numbered(self) -> u64 {
        self.numbered
    }

    fn add(&mut self, why: SkipReason) {
        *match why {
            SkipReason::Hidden => &mut self.hidden,
            SkipReason::Temporary => &mut self.temporary,
            SkipReason::Numbered => &mut self.numbered,
            SkipReason::OtherName => &mut self.other_name,
            SkipReason::Symlink => &mut self.symlinks,
            SkipReason::NotRegular => &mut self.not_regular,
        } += 1;
    }
}

impl fmt::Display for SkippedCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.hidden, "hidden"),
            (self.temporary, "temporary (.tmp, .part)"),
            (self.numbered, "with a number behind .csv"),
            (self.other_name, "with names that are not read"),
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
