//! Rules that give a field its value by the values of several columns.

use std::collections::HashSet;

use super::condition::{Condition, WordsByColumn, check_words};
use crate::contract::{Error, ErrorKind, Result};
use crate::csv::{CsvRecord, Header};

/// A rule: a record that has these words gets this value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    /// In each of these columns a record must have one of the words.
    pub(super) equals: WordsByColumn,
    /// The value; empty for none.
    pub(super) value: String,
}

/// A rule whose columns were looked up in one header.
#[derive(Debug)]
pub(super) struct BoundWhen {
    conditions: Vec<Condition>,
    value: String,
}

impl When {
    /// Checks that the rule has a condition, and each condition a word.
    pub(super) fn check(&self) -> Result<()> {
        match self.equals.is_empty() {
            true => Err(Error::new(ErrorKind::Configuration, "a rule in when has no column in equals")
                .hint("write equals = { column = \"word\" }; a value for all other rows is a default")),
            false => check_words("equals", &self.equals),
        }
    }
}

impl BoundWhen {
    /// Looks up the columns of the rule; `None` if the file does not have all of them, so that the rule never holds.
    pub(super) fn new(rule: &When, header: &Header) -> Option<Self> {
        let conditions = Condition::all(&rule.equals, header);
        (conditions.len() == rule.equals.len()).then(|| Self {
            conditions,
            value: rule.value.clone(),
        })
    }

    /// The value that the record gets by this rule, if the rule holds for it.
    pub(super) fn value(&self, nulls: &HashSet<String>, record: &CsvRecord) -> Option<&str> {
        let holds = self.conditions.iter().all(|condition| condition.holds(nulls, record));
        holds.then_some(self.value.as_str())
    }
}
