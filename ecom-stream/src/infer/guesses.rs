use super::column::Column;
use super::{times, words};
use crate::Event;

/// Which column may be what of an event.
pub(super) struct Guesses {
    /// For each of [`Event::COLUMNS`].
    columns: [Option<usize>; Event::COLUMNS.len()],
    pub(super) time: Option<times::Guess>,
}

impl Guesses {
    pub(super) fn new(columns: &[Column]) -> Self {
        let mut guesses = Self {
            columns: [None; Event::COLUMNS.len()],
            time: None,
        };
        // What values can prove comes first: a column called "event" may be a time or a kind.
        let mut times: Vec<(usize, times::Guess)> = columns
            .iter()
            .enumerate()
            .filter_map(|(at, column)| Some((at, times::guess(&column.values)?)))
            .collect();
        times.sort_by_key(|(at, guess)| {
            (
                words::rank("event_time", &columns[*at].name).unwrap_or(99),
                guess.is_number,
            )
        });
        // A number may be anything, unless its name says that it is a time.
        times.retain(|(at, guess)| !guess.is_number || words::rank("event_time", &columns[*at].name).is_some());
        if let Some((at, guess)) = times.into_iter().next() {
            guesses.set("event_time", at);
            guesses.time = Some(guess);
        }
        let kinds = |column: &Column| {
            column
                .distinct()
                .filter(|(word, _)| words::event_type(word).is_some())
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
                    .filter_map(|at| Some((words::rank(name, &columns[at].name)?, at)))
                    .min();
                if let Some((_, at)) = best {
                    guesses.set(name, at);
                }
            }
        }
        guesses
    }

    fn place(name: &str) -> Option<usize> {
        Event::COLUMNS.iter().position(|column| *column == name)
    }

    fn set(&mut self, name: &str, column: usize) {
        if let Some(at) = Self::place(name) {
            self.columns[at] = Some(column);
        }
    }

    pub(super) fn of(&self, name: &str) -> Option<usize> {
        self.columns[Self::place(name)?]
    }

    pub(super) fn has(&self, column: usize) -> bool {
        self.columns.contains(&Some(column))
    }
}
