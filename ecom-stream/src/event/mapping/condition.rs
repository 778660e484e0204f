//! A condition on the words of one column of a file, found by index.
//!
//! Words are compared as they are in the file, before the mapping translates them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::csv::{CsvRecord, Header};

/// Words by the name of their column. An empty text stands for a field without a value.
pub(super) type WordsByColumn = BTreeMap<String, BTreeSet<String>>;

/// The words that are asked for in one column, looked up in one header.
#[derive(Debug)]
pub(super) struct Condition {
    /// `None` if the file doesn't have the column: then no field of it has a value.
    index: Option<usize>,
    pub(super) column: String,
    words: HashSet<String>,
}

impl Condition {
    /// Looks up each column in `header`.
    pub(super) fn all(words: &WordsByColumn, header: &Header) -> Vec<Self> {
        let condition = |(column, words): (&String, &BTreeSet<String>)| Self {
            index: header.index_of(column),
            column: column.clone(),
            words: words.iter().cloned().collect(),
        };
        words.iter().map(condition).collect()
    }

    /// Whether the record has one of the words. `nulls` are the words that stand for no value.
    pub(super) fn holds(&self, nulls: &HashSet<String>, record: &CsvRecord) -> bool {
        let found = self.found(record);
        self.words.contains(found) || (nulls.contains(found) && self.words.contains(""))
    }

    /// What the record has in the column.
    pub(super) fn found<'a>(&self, record: &'a CsvRecord) -> &'a str {
        self.index.and_then(|index| record.field(index)).unwrap_or_default()
    }
}

/// The words as they are listed in a sentence: `"a" or "b"`.
pub(super) fn listed(words: &BTreeSet<String>) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    words.join(" or ")
}
