//! Which rows of a file become events: those that the mapping chooses by the values of their columns.
//!
//! A row that is left out is counted as *filtered*: it was read and is neither stored nor rejected. The values are compared as they are
//! in the file, before the mapping translates them.

use std::collections::HashSet;

use super::condition::{Condition, WordsByColumn, listed};
use crate::contract::{Error, ErrorKind, Result};
use crate::csv::{CsvRecord, Header};

/// Which rows of the files become events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RowFilter {
    /// A row must have one of these values in each of these columns.
    pub(super) only: WordsByColumn,
    /// A row with one of these values in one of these columns is left out.
    pub(super) leave_out: WordsByColumn,
}

/// Why a row is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeftOut<'a> {
    /// No field has anything but blanks.
    Empty,
    /// The column has another value than those that are asked for.
    NotAmong { column: &'a str, found: &'a str },
    /// The column has one of the values that are left out.
    Value { column: &'a str, found: &'a str },
}

/// A row filter whose columns were looked up in one header.
#[derive(Debug, Default)]
pub(super) struct BoundRowFilter {
    only: Vec<Condition>,
    leave_out: Vec<Condition>,
}

impl RowFilter {
    /// Whether every row becomes an event.
    pub(super) fn is_empty(&self) -> bool {
        self.only.is_empty() && self.leave_out.is_empty()
    }

    /// The columns that rows are chosen by. A file must have them.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.only.keys().chain(self.leave_out.keys()).map(String::as_str)
    }

    /// Checks that the filter leaves rows to store.
    pub(super) fn check(&self) -> Result<()> {
        let refused = |message: String| Error::new(ErrorKind::Configuration, message);
        for (key, columns) in [("only", &self.only), ("leave_out", &self.leave_out)] {
            if let Some((column, _)) = columns.iter().find(|(_, values)| values.is_empty()) {
                return Err(refused(format!("{key} has no value for the column {column:?}"))
                    .hint("name the values, with \"\" for an empty field, or remove the line"));
            }
        }
        for (column, values) in &self.only {
            let left_out = self.leave_out.get(column);
            if let Some(value) = left_out.and_then(|left_out| left_out.intersection(values).next()) {
                return Err(refused(format!(
                    "{value:?} of the column {column:?} is in only and in leave_out"
                ))
                .hint("remove it from one of them"));
            }
        }
        Ok(())
    }

    /// What the filter does, one sentence for each column.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        let only = self.only.iter().map(|(column, values)| {
            let words = listed(values);
            format!("a row is left out, and counted as filtered, unless its column {column:?} is {words}")
        });
        let left_out = self.leave_out.iter().map(|(column, values)| {
            let words = listed(values);
            format!("a row is left out, and counted as filtered, if its column {column:?} is {words}")
        });
        only.chain(left_out)
    }
}

impl BoundRowFilter {
    /// Looks up the columns of the filter in `header`.
    pub(super) fn new(filter: &RowFilter, header: &Header) -> Self {
        Self {
            only: Condition::all(&filter.only, header),
            leave_out: Condition::all(&filter.leave_out, header),
        }
    }

    /// Why the record is left out; `None` if it is to become an event. `nulls` are the words that stand for no value.
    pub(super) fn left_out<'a>(&'a self, nulls: &HashSet<String>, record: &'a CsvRecord) -> Option<LeftOut<'a>> {
        if record.is_blank() {
            return Some(LeftOut::Empty);
        }
        if let Some(miss) = self.only.iter().find(|condition| !condition.holds(nulls, record)) {
            return Some(LeftOut::NotAmong {
                column: &miss.column,
                found: miss.found(record),
            });
        }
        let hit = self.leave_out.iter().find(|condition| condition.holds(nulls, record))?;
        Some(LeftOut::Value {
            column: &hit.column,
            found: hit.found(record),
        })
    }
}

impl LeftOut<'_> {
    /// The rule in a few words, to count by. There are as many as the mapping has columns and values, whatever is in the file.
    pub(crate) fn rule(&self) -> String {
        match self {
            Self::Empty => "all fields are empty".to_owned(),
            Self::NotAmong { column, .. } => format!("only, by {column:?}"),
            Self::Value { column, found } => format!("leave_out, by {column:?} = {found:?}"),
        }
    }

    /// What was found in the record.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Empty => "found nothing".to_owned(),
            Self::NotAmong { column, found } | Self::Value { column, found } => {
                format!("{column} is {:?}", found.chars().take(80).collect::<String>())
            }
        }
    }
}
