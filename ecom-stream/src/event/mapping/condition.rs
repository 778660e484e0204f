//! Conditions on the values of a row, as they are in the file: the words that a column must have, by the name of the column.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::contract::{Error, ErrorKind, Result};
use crate::csv::{CsvRecord, Header};

/// Words by the name of their column. An empty text stands for a field without a value.
pub(super) type WordsByColumn = BTreeMap<String, BTreeSet<String>>;

/// The words of one column, which was looked up in a header.
#[derive(Debug)]
pub(super) struct Condition {
    index: usize,
    pub(super) column: String,
    words: HashSet<String>,
}

impl Condition {
    /// The conditions of `words` on records under `header`, without those on columns that it does not have.
    pub(super) fn all(words: &WordsByColumn, header: &Header) -> Vec<Self> {
        let bound = words.iter().filter_map(|(column, words)| {
            Some(Self {
                index: header.index_of(column)?,
                column: column.clone(),
                words: words.iter().cloned().collect(),
            })
        });
        bound.collect()
    }

    /// Whether the record has one of the words. `nulls` are the words that stand for no value.
    pub(super) fn holds(&self, nulls: &HashSet<String>, record: &CsvRecord) -> bool {
        let found = self.found(record);
        self.words.contains(found) || (nulls.contains(found) && self.words.contains(""))
    }

    /// The value of the record in the column.
    pub(super) fn found<'a>(&self, record: &'a CsvRecord) -> &'a str {
        record.field(self.index).unwrap_or_default()
    }
}

/// Checks that each column has a word. `key` is what the words are called in a mapping.
pub(super) fn check_words(key: &str, words: &WordsByColumn) -> Result<()> {
    match words.iter().find(|(_, words)| words.is_empty()) {
        None => Ok(()),
        Some((column, _)) => {
            let message = format!("{key} has no value for the column {column:?}");
            Err(Error::new(ErrorKind::Configuration, message)
                .hint("name the values, with \"\" for an empty field, or remove the line"))
        }
    }
}
