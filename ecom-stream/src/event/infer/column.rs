//! A column of a sample: its values, and the words in it that stand for no value.

use std::collections::BTreeMap;

/// How many distinct values are remembered.
const MAX_DISTINCT: usize = 200;
/// Words that often stand for no value.
const NULL_WORDS: [&str; 11] = [
    "NA", "N/A", "n/a", "NULL", "null", "None", "none", "NaN", "nan", "\\N", "-",
];

/// The values of one column of the sample.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// All values, without those that are empty or a null word.
    pub(super) values: Vec<String>,
    /// The number of rows, with and without a value.
    rows: usize,
    /// How often each null word occurs.
    pub(super) null_words: BTreeMap<&'static str, usize>,
}

impl Column {
    /// Sorts the values of a column into values, nulls and empty fields.
    pub(super) fn new(name: String, values: impl Iterator<Item = String>) -> Self {
        let mut column = Self {
            name,
            values: Vec::new(),
            rows: 0,
            null_words: BTreeMap::new(),
        };
        for value in values {
            column.rows += 1;
            match NULL_WORDS.iter().find(|word| **word == value) {
                Some(word) => *column.null_words.entry(word).or_default() += 1,
                None if value.is_empty() => {}
                None => column.values.push(value),
            }
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

    /// The share of rows without a value, in percent.
    pub(super) fn nulls_percent(&self) -> f64 {
        100.0 * (self.rows - self.values.len()) as f64 / self.rows.max(1) as f64
    }

    /// The three most frequent values, quoted and shortened, on one line.
    pub(super) fn samples(&self) -> String {
        const MAX_SHOWN: usize = 3;
        const MAX_SHOWN_CHARS: usize = 40;
        let shown = self.distinct().take(MAX_SHOWN).map(|(value, _)| {
            let short: String = value.chars().take(MAX_SHOWN_CHARS).collect();
            let cut = if short.len() < value.len() { "…" } else { "" };
            format!("{short:?}{cut}")
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}
