//! What a mapping for a file may look like, proposed from what stands in it.
//!
//! A bounded `sample` is read and taken apart, each `column` is looked at, and `words` and `times` say what it may mean. The
//! proposal is `written` as TOML for a person to read: with what was seen, and what nobody could tell.

mod column;
mod sample;
mod times;
mod words;
mod written;

use std::path::Path;

use column::Column;
use sample::Sample;

use crate::{Error, ErrorKind, Event, EventType, Result};

/// A mapping that is proposed for a file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Proposal {
    /// The mapping in TOML, with comments. [`Mapping::from_toml`](crate::Mapping::from_toml) takes it if nothing is missing.
    pub toml: String,
    /// The columns of an event that need to be filled in by hand.
    pub missing: Vec<&'static str>,
}

/// Proposes a mapping for a file from the first MiB of what stands in it; compressed files are decompressed as their name
/// says.
///
/// # Errors
///
/// When the file can't be read, or has nothing that could be told apart as rows and columns.
pub async fn infer_mapping(path: impl AsRef<Path>) -> Result<Proposal> {
    let path = path.as_ref();
    let shown = path.display();
    let sample = Sample::read(path)
        .await
        .map_err(|err| Error::new(ErrorKind::Source, format!("can't read {shown}")).caused_by(err))?;
    if sample.rows.is_empty() {
        return Err(Error::new(ErrorKind::Source, format!("{shown} has no rows to look at")));
    }
    let columns = sample.columns();
    let guesses = Guesses::new(&columns);
    Ok(written::proposal(&shown.to_string(), &sample, &columns, &guesses))
}

/// Which column may be what of an event.
struct Guesses {
    /// For each of [`Event::COLUMNS`].
    columns: [Option<usize>; Event::COLUMNS.len()],
    time: Option<times::Guess>,
}

impl Guesses {
    fn new(columns: &[Column]) -> Self {
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

    fn of(&self, name: &str) -> Option<usize> {
        self.columns[Self::place(name)?]
    }

    fn has(&self, column: usize) -> bool {
        self.columns.contains(&Some(column))
    }
}

/// The type that a word means, and whether it is the type's own name.
fn meaning(word: &str) -> Option<(EventType, bool)> {
    let event_type = words::event_type(word)?;
    Some((event_type, event_type.as_str() == word))
}
