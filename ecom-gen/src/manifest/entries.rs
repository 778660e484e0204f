//! The entries of a manifest, and how it is read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use ecom_stream::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::statistics::FileStatistics;
use crate::dirt::FaultKind;

/// The manifest of the files of a run, which is written beside them as `{prefix}.manifest.jsonl`: a line of JSON for
/// each file, and a last line with the totals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The files by number. Of a rewritten file only the second version is listed, if it has been written.
    pub files: Vec<FileEntry>,
    /// The totals; `None` while the run continues.
    pub total: Option<Totals>,
}

/// The entry of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileEntry {
    /// The name of the file within its directory.
    pub name: String,
    /// The number of the file; the first one is 1.
    pub number: u64,
    /// The version: 1, or 2 after the file was rewritten.
    pub version: u32,
    /// The size in bytes.
    pub bytes: u64,
    /// The state in which a correct ingest leaves the file.
    pub state: FileState,
    /// The reason that a correct ingest gives for a file that is damaged or set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is in the file. For a rewritten file it assumes that the first version was not read: an ingest that has
    /// read it finds its rows again as duplicates.
    #[serde(flatten)]
    pub statistics: FileStatistics,
    /// The number of distinct users of the rows that must be stored.
    pub users: u64,
    /// The faults of the file, in the order of its records.
    pub faults: Vec<Fault>,
}

/// The state in which an ingest leaves a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileState {
    /// The file is read to its end.
    Finished,
    /// The file is read up to a damage.
    Damaged,
    /// The file is not read.
    SetAside,
}

/// A fault of a file, or of a record in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fault {
    /// The kind of the fault.
    pub kind: FaultKind,
    /// The number of the record; the first one after the header is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// The offset at which the record begins in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte_offset: Option<u64>,
    /// The reason that a correct ingest gives, one of [`Reason::ALL`](ecom_stream::Reason::ALL); `None` if the ingest
    /// accepts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The totals of all files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Totals {
    /// The number of files.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// The number of files in each state.
    pub states: BTreeMap<FileState, u64>,
    /// What is in the files.
    #[serde(flatten)]
    pub statistics: FileStatistics,
    /// The number of distinct users of the rows that must be stored.
    pub users: u64,
    /// The number of faults of each kind.
    pub faults: BTreeMap<FaultKind, u64>,
}

/// A line of the manifest.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    File(Box<FileEntry>),
    Total(Box<Totals>),
}

impl FileEntry {
    /// Whether the file will be rewritten, so that a later entry takes the place of this one.
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
    /// If the file cannot be read, or is not a manifest.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut lines = BufReader::new(File::open(path).map_err(|err| Error::io("open", path, err))?);
        let (mut files, mut total) = (BTreeMap::new(), None);
        let mut line = String::new();
        // A last line without a line end is still being written.
        while lines.read_line(&mut line).map_err(|err| Error::io("read", path, err))? > 0 && line.ends_with('\n') {
            match serde_json::from_str(&line) {
                Ok(Line::File(file)) => {
                    files.insert(file.number, *file);
                }
                Ok(Line::Total(found)) => total = Some(*found),
                Err(err) => {
                    let message = format!("{} is not a manifest: it has the line {line}", path.display());
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
