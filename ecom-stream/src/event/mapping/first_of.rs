//! The first of several columns that has a value, found by index.

use std::collections::HashSet;

use super::Field;
use crate::csv::{CsvRecord, Header};

/// The columns of a field that takes the first value, looked up in one header.
#[derive(Debug)]
pub(super) struct FirstOf {
    /// The columns that the file has, in the order of the mapping.
    columns: Vec<usize>,
}

impl FirstOf {
    /// Looks up the columns with these names in `header`.
    pub(super) fn new(names: &[String], header: &Header) -> Self {
        Self {
            columns: names.iter().filter_map(|name| header.index_of(name)).collect(),
        }
    }

    /// Whether the field can be taken from the column with this index.
    pub(super) fn contains(&self, column: usize) -> bool {
        self.columns.contains(&column)
    }

    /// The first value, as it is in the file. Passed over are empty fields, words for no value, and words that the field translates to
    /// no value.
    pub(super) fn find<'a>(&self, field: &Field, nulls: &HashSet<String>, record: &'a CsvRecord) -> Option<&'a str> {
        let has_value = |text: &&str| !text.is_empty() && !nulls.contains(*text) && !field.meaning_of(text).is_empty();
        let mut values = self.columns.iter().filter_map(|column| record.field(*column));
        values.find(has_value)
    }
}

/// What is wrong with the columns of such a field, if anything is.
pub(super) fn check_first_of(names: &[String]) -> Result<(), String> {
    if let [] | [_] = names {
        return Err("the first value is taken from two columns or more: name a single one by column".to_owned());
    }
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        Some(name) => Err(format!(
            "the column {name:?} is named twice: its second place is never reached"
        )),
        None => Ok(()),
    }
}
