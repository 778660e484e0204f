use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use ecom_stream::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::statistics::FileStatistics;
use crate::dirt::FaultKind;

/// The truth about the files of a run, as it was written beside them: `{prefix}.manifest.jsonl`, a line of JSON for each
/// file and a last one with the totals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The files, by number; of one that was rewritten the second version alone, if it was there by then.
    pub files: Vec<FileEntry>,
    /// The totals, once the run has ended or was stopped.
    pub total: Option<Totals>,
}

/// The truth about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileEntry {
    /// Its name in the directory.
    pub name: String,
    /// Its number; the first has number 1.
    pub number: u64,
    /// 1, or 2 once it was rewritten.
    pub version: u32,
    /// How many bytes it has.
    pub bytes: u64,
    /// How an ingest must end with it.
    pub state: FileState,
    /// The code that an ingest must give for a file that is damaged or set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is in it. That of a rewritten file assumes that nobody has read the first version: who did finds those rows
    /// again as duplicates.
    #[serde(flatten)]
    pub statistics: FileStatistics,
    /// How many users those have of whom rows must end in the table.
    pub users: u64,
    /// What is wrong with it, by its records.
    pub faults: Vec<Fault>,
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileState {
    /// It is read to its end.
    Finished,
    /// It is read up to damage.
    Damaged,
    /// It is not read.
    SetAside,
}

/// Something that is wrong with a file, or with a record in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// The number of the record; the first after the header has number 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// Where the record begins in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte_offset: Option<u64>,
    /// The code that an ingest must give, of [`Reason::ALL`](ecom_stream::Reason::ALL); absent where it must not mind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What all files add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Totals {
    /// How many files there are.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many of them end how.
    pub states: BTreeMap<FileState, u64>,
    /// What is in them.
    #[serde(flatten)]
    pub statistics: FileStatistics,
    /// How many users those have of whom rows must end in the table.
    pub users: u64,
    /// How many faults there are of each kind.
    pub faults: BTreeMap<FaultKind, u64>,
}

/// A line of a manifest.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    File(Box<FileEntry>),
    Total(Box<Totals>),
}

impl FileEntry {
    /// Whether another version comes, so that this one doesn't count then.
    pub(super) fn is_first_of_two(&self) -> bool {
        self.version == 1 && self.faults.iter().any(|fault| fault.kind == FaultKind::Rewritten)
    }
}

impl Totals {
    pub(super) fn add(&mut self, file: &FileEntry) {
        self.files += 1;
        self.bytes += file.bytes;
        *self.states.entry(file.state).or_default() += 1;
        self.statistics += &file.statistics;
        for fault in &file.faults {
            *self.faults.entry(fault.kind).or_default() += 1;
        }
    }
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// When it can't be read, or is none.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut lines = BufReader::new(File::open(path).map_err(|err| Error::cant("open", path, err))?);
        let (mut files, mut total) = (BTreeMap::new(), None);
        let mut line = String::new();
        // A last line without an end is still being written.
        while lines
            .read_line(&mut line)
            .map_err(|err| Error::cant("read", path, err))?
            > 0
            && line.ends_with('\n')
        {
            match serde_json::from_str(&line) {
                Ok(Line::File(file)) => {
                    files.insert(file.number, *file);
                }
                Ok(Line::Total(found)) => total = Some(*found),
                Err(err) => {
                    let message = format!("{} has a line that is none of a manifest: {line}", path.display());
                    return Err(Error::new(ErrorKind::Source, message).caused_by(err));
                }
            }
            line.clear();
        }
        Ok(Self {
            files: files.into_values().collect(),
            total,
        })
    }
}
