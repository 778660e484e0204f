//! What one step of a CSV reader gives: a header, or records, rejects, and why reading ended.

use super::{CsvRecord, HeaderCheck};
use crate::contract::{Record, Refusal, Reject};

/// What one call of [`CsvReader::step`](super::CsvReader::step) read: at most one batch.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// The records that passed all checks.
    pub(crate) records: Vec<Record<CsvRecord>>,
    /// The records that did not.
    pub(crate) rejects: Vec<Reject>,
    /// The number of bytes of input that the step stands for, terminators and blank lines included.
    pub(crate) bytes: usize,
    /// Why nothing follows; `None` if there may be more.
    pub(crate) end: Option<End>,
}

impl Step {
    /// A step of nothing, at the end.
    pub(super) fn ended(end: End) -> Self {
        Self {
            end: Some(end),
            ..Self::default()
        }
    }

    /// The byte offset of the first record or reject.
    pub(crate) fn first_offset(&self) -> Option<u64> {
        let records = self.records.iter().filter_map(|record| record.origin.as_ref());
        let rejects = self.rejects.iter().filter_map(|reject| reject.origin.as_ref());
        records.chain(rejects).map(|origin| origin.byte_offset).min()
    }
}

/// How reading ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At the end of the input, behind a record terminator.
    Clean,
    /// In front of a last record that has no terminator or whose quotes are open. Its writer may not be done.
    Tail,
    /// In front of damage. Nothing behind it can be trusted.
    Damaged(Refusal),
}

/// Where the bytes of a parsed record are, as offsets in the split.
pub(super) struct ParsedRecord {
    /// The first byte of the record, behind blank lines.
    pub(super) start: u64,
    /// The byte behind the record and its terminator.
    pub(super) end: u64,
    /// The end of the record without its terminator.
    pub(super) text_end: u64,
    /// Whether the record has a terminator. Only the last one of a file may have none.
    pub(super) terminated: bool,
    /// How many blank lines were skipped before it.
    pub(super) blank_lines: u64,
    /// Where the parser began what is the last of its fields. This is `start`, unless there is a `\r` in a field that the parser took for
    /// a line end.
    pub(super) parsed_from: u64,
}

impl ParsedRecord {
    /// Whether there is a `\r` in a field that is not quoted.
    pub(super) fn has_lone_cr(&self) -> bool {
        self.parsed_from != self.start
    }
}

/// The result of [`CsvReader::open`](super::CsvReader::open).
#[derive(Debug)]
pub(crate) enum HeaderStep {
    /// The input is empty or has only blank lines.
    Empty,
    /// A header was read. `whole` says whether it has a terminator; without one its writer may not be done.
    Found {
        check: Result<HeaderCheck, Refusal>,
        whole: bool,
    },
}

impl HeaderStep {
    /// The same, but a file whose start is not UTF-8 can't be used, whatever its header is.
    pub(crate) fn refuse_wrong_encoding(self) -> Self {
        match self {
            Self::Found {
                check:
                    Ok(HeaderCheck {
                        wrong_encoding: Some(refusal),
                        ..
                    }),
                whole,
            } => Self::Found {
                check: Err(refusal),
                whole,
            },
            other => other,
        }
    }
}
