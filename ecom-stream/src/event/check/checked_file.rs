//! What a check of a file finds.

use std::collections::BTreeMap;

use crate::contract::{Reason, Refusal};
use crate::event::Event;

/// What would become of a file.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CheckedFile {
    /// Records that would be stored, but for those that the table has already.
    pub accepted: u64,
    /// Records that would be refused, by reason.
    pub rejected: BTreeMap<Reason, RejectsByReason>,
    /// Why the file would not be read, or not to its end.
    pub unusable: Option<Refusal>,
    /// Lines below the header that are not read where the file is [`unusable`](Self::unusable) for its header.
    pub unread_lines: u64,
    /// The [ready mapping](Mapping::ready) that reads a file with this header, where it was checked by none.
    pub ready_mapping: Option<&'static str>,
    /// The first events as they would be stored.
    pub events: Vec<Example<Event>>,
    /// Columns that would not be stored.
    pub ignored_columns: Vec<String>,
    /// Whether a file of that name is read at all when it is in a directory.
    pub is_read_by_name: bool,
}

/// What was refused for one reason.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RejectsByReason {
    /// How often.
    pub count: u64,
    /// The first ones: what was found, and their bytes.
    pub examples: Vec<Example<(String, String)>>,
}

/// Something in a file, and where.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Example<T> {
    /// The line on which its record begins; the first has number 1.
    pub line: u64,
    /// The number of the record; the first has number 1.
    pub record: u64,
    /// What it is.
    pub value: T,
    pub(super) byte_offset: u64,
}

impl CheckedFile {
    /// How many records would be refused.
    pub fn rejected_count(&self) -> u64 {
        self.rejected.values().map(|found| found.count).sum()
    }

    /// Whether all of it would be stored.
    pub fn is_clean(&self) -> bool {
        self.rejected.is_empty() && self.unusable.is_none()
    }
}
