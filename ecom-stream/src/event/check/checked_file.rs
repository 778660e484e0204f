//! The report of a checked file.

use std::collections::BTreeMap;

use crate::contract::{Reason, Refusal};
use crate::event::Event;

use super::doubts::Doubt;

/// The report of [`check_file`](super::check_file): what would become of a file.
///
/// ```
/// use ecom_stream::check::CheckedFile;
///
/// let report = CheckedFile::default();
/// assert!(report.is_clean());
/// assert_eq!((report.accepted, report.rejected_count()), (0, 0));
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CheckedFile {
    /// The number of records that would be stored, apart from those that the table has already.
    pub accepted: u64,
    /// The records that would be rejected, by reason.
    pub rejected: BTreeMap<Reason, RejectsByReason>,
    /// The records that would be left out and counted as filtered, by the rule that leaves them out: the words of the mapping, or that all
    /// fields are empty.
    pub filtered: BTreeMap<String, FilteredByRule>,
    /// Why the file would not be read at all, or not to its end.
    pub unusable: Option<Refusal>,
    /// If the file is [`unusable`](Self::unusable) because of its header: the number of lines below it, which are not read.
    pub unread_lines: u64,
    /// If the file has a header that can't be used and was checked without a mapping: the name of the [ready mapping](crate::Mapping::ready)
    /// that fits the header.
    pub ready_mapping: Option<&'static str>,
    /// The first events, as they would be stored.
    pub events: Vec<Example<Event>>,
    /// How many events would be stored with a text that looks like a word for no value, such as `NULL`, by field and text.
    pub null_words: BTreeMap<(&'static str, String), u64>,
    /// What is unlikely of real events, though the rules accept it.
    pub doubts: Vec<Doubt>,
    /// The columns of the file that would not be stored.
    pub ignored_columns: Vec<String>,
    /// Whether a source that reads a directory reads a file with this name.
    pub is_read_by_name: bool,
}

/// The rejected records of one reason.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RejectsByReason {
    /// How many records there are.
    pub count: u64,
    /// The first of them: the detail of the refusal, and the bytes of the record as text.
    pub examples: Vec<Example<(String, String)>>,
}

/// The records that one rule leaves out.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FilteredByRule {
    /// How many records there are.
    pub count: u64,
    /// The first of them: what was found in the record, and its bytes as text.
    pub examples: Vec<Example<(String, String)>>,
}

/// A record of the file as an example, with its place.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Example<T> {
    /// The line on which the record begins, counted from 1. A record with line breaks in quotes spans several lines.
    pub line: u64,
    /// The number of the record, counted from 1. The header is not a record.
    pub record: u64,
    /// The event, or the detail and the bytes of a reject.
    pub value: T,
    /// Where the record begins, until its line is known.
    pub(super) byte_offset: u64,
}

impl CheckedFile {
    /// The number of records that would be rejected.
    pub fn rejected_count(&self) -> u64 {
        self.rejected.values().map(|found| found.count).sum()
    }

    /// The number of records that would be left out, and counted as filtered.
    pub fn filtered_count(&self) -> u64 {
        self.filtered.values().map(|found| found.count).sum()
    }

    /// Whether no record would be rejected: every record would be stored or left out on purpose.
    pub fn is_clean(&self) -> bool {
        self.rejected.is_empty() && self.unusable.is_none()
    }
}
