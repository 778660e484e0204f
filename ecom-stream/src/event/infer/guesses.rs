//! Guesses which column of a sample is which field of an event.

use super::column::Column;
use super::{prices, synonyms, time_formats};
use crate::event::Event;

/// Which column may be which field of an event.
///
/// Values decide before names: the column of times is the one whose values are times, the column of types the one that has the most
/// words for event types. The other fields are found by the names of the columns.
pub(super) struct Guesses {
    /// For each of [`Event::COLUMNS`], the index of its column in the sample.
    columns: [Option<usize>; Event::COLUMNS.len()],
    /// The format of the column of times.
    pub(super) time: Option<time_formats::Guess>,
    /// A column that may hold event types by its values, though no word is known. A person must decide; so it is with `likely_price`.
    pub(super) likely_type: Option<usize>,
    pub(super) likely_price: Option<usize>,
}

impl Guesses {
    pub(super) fn new(columns: &[Column]) -> Self {
        let mut guesses = Self {
            columns: [None; Event::COLUMNS.len()],
            time: None,
            likely_type: None,
            likely_price: None,
        };
        // Values decide before names: a column called "event" may be a time or a type.
        let mut times: Vec<(usize, time_formats::Guess)> = columns
            .iter()
            .enumerate()
            .filter_map(|(at, column)| Some((at, time_formats::guess(&column.values)?)))
            .collect();
        times.sort_by_key(|(at, guess)| {
            (
                synonyms::rank("event_time", &columns[*at].name).unwrap_or(99),
                guess.is_number,
            )
        });
        // A number may be anything, unless its name says that it is a time.
        times.retain(|(at, guess)| !guess.is_number || synonyms::rank("event_time", &columns[*at].name).is_some());
        if let Some((at, guess)) = times.into_iter().next() {
            guesses.set("event_time", at);
            guesses.time = Some(guess);
        }
        let kinds = |column: &Column| {
            column
                .distinct()
                .filter(|(word, _)| synonyms::event_type(word).is_some())
                .count()
        };
        let by_kinds = (0..columns.len()).filter(|at| !guesses.has(*at) && kinds(&columns[*at]) > 0);
        if let Some(at) = by_kinds.max_by_key(|at| kinds(&columns[*at])) {
            guesses.set("event_type", at);
        }
        for name in Event::COLUMNS {
            if guesses.of(name).is_none() && name != "event_time" {
                let named = (0..columns.len()).filter(|at| !guesses.has(*at));
                let best = named
                    .filter_map(|at| Some((synonyms::rank(name, &columns[at].name)?, at)))
                    .min();
                if let Some((_, at)) = best {
                    guesses.set(name, at);
                }
            }
        }
        let unused = |guesses: &Self, is_like: fn(&Column) -> bool| {
            (0..columns.len()).find(|at| !guesses.has(*at) && is_like(&columns[*at]))
        };
        if guesses.of("event_type").is_none() {
            guesses.likely_type = unused(&guesses, has_few_words);
        }
        if guesses.of("price").is_none() {
            guesses.likely_price = unused(&guesses, prices::look_like_prices);
        }
        guesses
    }

    /// The index of a field in [`Event::COLUMNS`].
    fn place(name: &str) -> Option<usize> {
        Event::COLUMNS.iter().position(|column| *column == name)
    }

    fn set(&mut self, name: &str, column: usize) {
        if let Some(at) = Self::place(name) {
            self.columns[at] = Some(column);
        }
    }

    /// The column for the field with that name.
    pub(super) fn of(&self, name: &str) -> Option<usize> {
        self.columns[Self::place(name)?]
    }

    /// Whether the column is used for some field.
    pub(super) fn has(&self, column: usize) -> bool {
        self.columns.contains(&Some(column))
    }
}

/// Whether the values look like those of a column of types: two to six words without digits, which come again and again.
fn has_few_words(column: &Column) -> bool {
    let words: Vec<_> = column.distinct().collect();
    let is_word = |word: &str| !word.contains(|c: char| c.is_numeric());
    (2..=6).contains(&words.len()) && words.len() < column.values.len() && words.iter().all(|(word, _)| is_word(word))
}
