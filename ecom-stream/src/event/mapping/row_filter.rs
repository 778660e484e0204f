//! Which rows of a file become events: those that the mapping chooses by the values of their columns.
//!
//! A row that is left out is counted as *filtered*: it was read and is neither stored nor rejected. The values are compared as they are
//! in the file, before the mapping translates them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::contract::{Error, ErrorKind, Result};
use crate::csv::{CsvRecord, Header};

/// The values by which rows are chosen, by the name of their column. An empty text stands for a field without a value.
type ByColumn = BTreeMap<String, BTreeSet<String>>;

/// Which rows of the files become events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RowFilter {
    /// A row must have one of these values in each of these columns.
    pub(super) only: ByColumn,
    /// A row with one of these values in one of these columns is left out.
    pub(super) leave_out: ByColumn,
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
    conditions: Vec<Condition>,
}

/// What the filter says of one column.
#[derive(Debug)]
struct Condition {
    index: usize,
    column: String,
    values: HashSet<String>,
    /// Whether the rows with these values stay, and not the others.
    keeps: bool,
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
        let words = |values: &BTreeSet<String>| {
            let words: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
            words.join(" or ")
        };
        let only = self.only.iter().map(move |(column, values)| {
            let words = words(values);
            format!("a row is left out, and counted as filtered, unless its column {column:?} is {words}")
        });
        let left_out = self.leave_out.iter().map(move |(column, values)| {
            let words = words(values);
            format!("a row is left out, and counted as filtered, if its column {column:?} is {words}")
        });
        only.chain(left_out)
    }
}

impl BoundRowFilter {
    /// Looks up the columns of the filter in `header`.
    pub(super) fn new(filter: &RowFilter, header: &Header) -> Self {
        let condition = |(column, values): (&String, &BTreeSet<String>), keeps| {
            Some(Condition {
                index: header.index_of(column)?,
                column: column.clone(),
                values: values.iter().cloned().collect(),
                keeps,
            })
        };
        let only = filter.only.iter().filter_map(|entry| condition(entry, true));
        let left_out = filter.leave_out.iter().filter_map(|entry| condition(entry, false));
        Self {
            conditions: only.chain(left_out).collect(),
        }
    }

    /// Why the record is left out; `None` if it is to become an event. `nulls` are the words that stand for no value.
    pub(super) fn left_out<'a>(&'a self, nulls: &HashSet<String>, record: &'a CsvRecord) -> Option<LeftOut<'a>> {
        if record.is_blank() {
            return Some(LeftOut::Empty);
        }
        self.conditions.iter().find_map(|condition| {
            let found = record.field(condition.index).unwrap_or_default();
            let is_null = || nulls.contains(found) && condition.values.contains("");
            let is_listed = condition.values.contains(found) || is_null();
            let column = condition.column.as_str();
            match condition.keeps {
                true => (!is_listed).then_some(LeftOut::NotAmong { column, found }),
                false => is_listed.then_some(LeftOut::Value { column, found }),
            }
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
