use super::CsvRecord;
use crate::contract::{Record, Refusal, Reject};

/// What one call of [`CsvReader::step`](super::CsvReader::step) read: no more than a batch.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) records: Vec<Record<CsvRecord>>,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) bytes: usize,
    /// Why there is no more after this, if there isn't.
    pub(crate) end: Option<End>,
}

impl Step {
    /// Where the first record begins.
    pub(crate) fn first_offset(&self) -> Option<u64> {
        let records = self.records.iter().filter_map(|record| record.origin.as_ref());
        let rejects = self.rejects.iter().filter_map(|reject| reject.origin.as_ref());
        records.chain(rejects).map(|origin| origin.byte_offset).min()
    }
}

/// How reading ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Behind a record terminator.
    Clean,
    /// In front of a last record that has no terminator, or whose quotes are open: its writer may not be done.
    Tail,
    /// In front of damage.
    Damaged(Refusal),
}

/// A record as the parser sees it, and where its bytes are.
pub(super) struct ParsedRecord {
    pub(super) start: u64,
    pub(super) end: u64,
    /// The end without the terminator.
    pub(super) text_end: u64,
    pub(super) terminated: bool,
    /// How many blank lines come before it.
    pub(super) blank_lines: u64,
}
