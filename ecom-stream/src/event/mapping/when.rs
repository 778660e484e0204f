//! Rules over several columns that decide the value of a field: the first rule that holds for a row.

use std::collections::HashSet;

use super::condition::{Condition, WordsByColumn, listed};
use crate::csv::{CsvRecord, Header};

/// A rule: rows that have one of the words in each of the columns get the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    pub(super) columns: WordsByColumn,
    pub(super) value: String,
}

/// The rules of one field, looked up in one header.
#[derive(Debug, Default)]
pub(super) struct BoundWhen {
    rules: Vec<Vec<Condition>>,
}

impl When {
    /// The rule in a sentence, after the name of the event's column.
    pub(super) fn note(&self, name: &str) -> String {
        let conditions = self.columns.iter();
        let conditions = conditions.map(|(column, words)| format!("its column {column:?} is {}", listed(words)));
        let conditions: Vec<String> = conditions.collect();
        format!("{name} is {:?} in a row if {}", self.value, conditions.join(" and "))
    }

    /// Whether this rule holds for every row for which `other` holds.
    fn covers(&self, other: &Self) -> bool {
        let mut columns = self.columns.iter();
        columns.all(|(column, words)| other.columns.get(column).is_some_and(|theirs| theirs.is_subset(words)))
    }
}

/// What is wrong with the rules of a field, if anything is.
pub(super) fn check_when(rules: &[When]) -> Result<(), String> {
    for (at, rule) in rules.iter().enumerate() {
        let number = at + 1;
        if rule.columns.is_empty() {
            return Err(format!(
                "rule {number} of when has no column: a value for all other rows is the default"
            ));
        }
        if let Some((column, _)) = rule.columns.iter().find(|(_, words)| words.is_empty()) {
            return Err(format!(
                "rule {number} of when has no word for the column {column:?}: name the words, with \"\" for an empty field"
            ));
        }
        if rule.value.is_empty() {
            return Err(format!(
                "rule {number} of when gives no value: rows are left out by only and leave_out"
            ));
        }
        if let Some(earlier) = rules[..at].iter().position(|earlier| earlier.covers(rule)) {
            return Err(format!(
                "rule {number} of when never decides: rule {} holds for all of its rows and comes first",
                earlier + 1
            ));
        }
    }
    Ok(())
}

impl BoundWhen {
    /// Looks up the columns of the rules in `header`.
    pub(super) fn new(rules: &[When], header: &Header) -> Self {
        Self {
            rules: rules.iter().map(|rule| Condition::all(&rule.columns, header)).collect(),
        }
    }

    /// The value of the first of `rules` that holds for the record. They are those that this was made from.
    pub(super) fn decide<'a>(&self, rules: &'a [When], nulls: &HashSet<String>, record: &CsvRecord) -> Option<&'a str> {
        let holds = |conditions: &Vec<Condition>| conditions.iter().all(|condition| condition.holds(nulls, record));
        let first = self.rules.iter().position(holds)?;
        Some(rules.get(first)?.value.as_str())
    }
}
