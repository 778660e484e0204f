//! A column of a sample: its values, and the words in it that stand for no value.

use std::collections::{BTreeMap, HashSet};

/// How many distinct values are remembered.
const MAX_DISTINCT: usize = 200;
/// Words that often stand for no value.
const NULL_WORDS: [&str; 14] = [
    "NA",
    "N/A",
    "n/a",
    "NULL",
    "null",
    "None",
    "none",
    "NaN",
    "nan",
    "\\N",
    "-",
    "(not set)",
    "undefined",
    "#N/A",
];

/// The values of one column of the sample.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// The value of each row, to be compared with other columns; empty where the row has none, or a null word.
    pub(super) cells: Vec<String>,
    /// All values, without those that are empty or a null word.
    pub(super) values: Vec<String>,
    /// How often each null word occurs.
    pub(super) null_words: BTreeMap<&'static str, usize>,
}

impl Column {
    /// Sorts the values of a column into values, nulls and empty fields.
    pub(super) fn new(name: String, values: impl Iterator<Item = String>) -> Self {
        let mut column = Self {
            name,
            cells: Vec::new(),
            values: Vec::new(),
            null_words: BTreeMap::new(),
        };
        for value in values {
            let cell = match NULL_WORDS.iter().find(|word| **word == value) {
                Some(word) => {
                    *column.null_words.entry(word).or_default() += 1;
                    String::new()
                }
                None => value,
            };
            if !cell.is_empty() {
                column.values.push(cell.clone());
            }
            column.cells.push(cell);
        }
        column
    }

    /// The distinct values with their counts, the most frequent first. Only the first 200 distinct values are counted.
    pub(super) fn distinct(&self) -> impl Iterator<Item = (&str, usize)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for value in &self.values {
            if counts.len() < MAX_DISTINCT || counts.contains_key(value.as_str()) {
                *counts.entry(value).or_default() += 1;
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts.into_iter()
    }

    /// The number of distinct values.
    pub(super) fn distinct_count(&self) -> usize {
        self.values.iter().collect::<HashSet<_>>().len()
    }

    /// The number of rows without a value.
    pub(super) fn gaps(&self) -> usize {
        self.cells.len() - self.values.len()
    }

    /// The share of rows without a value, in percent.
    pub(super) fn nulls_percent(&self) -> f64 {
        100.0 * self.gaps() as f64 / self.cells.len().max(1) as f64
    }

    /// Whether more than half of the values are so; `false` if there are none.
    pub(super) fn mostly(&self, is_so: impl Fn(&str) -> bool) -> bool {
        self.values.iter().filter(|value| is_so(value)).count() * 2 > self.values.len()
    }

    /// The three most frequent values, quoted and shortened, on one line.
    pub(super) fn samples(&self) -> String {
        const MAX_SHOWN: usize = 3;
        let shown = self.distinct().take(MAX_SHOWN).map(|(value, _)| shortened(value));
        shown.collect::<Vec<_>>().join(", ")
    }
}

/// A value in quotes, at most 40 characters of it.
pub(super) fn shortened(value: &str) -> String {
    const MAX_SHOWN_CHARS: usize = 40;
    let short: String = value.chars().take(MAX_SHOWN_CHARS).collect();
    let cut = if short.len() < value.len() { "…" } else { "" };
    format!("{short:?}{cut}")
}
