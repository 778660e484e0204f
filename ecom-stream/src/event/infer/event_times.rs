//! Finds the column of the time at which something happened, among all columns of times.
//!
//! Values decide which columns are times, and in which format. Names decide which of the times is that of the event: a deadline or a
//! birthday looks the same. A date is joined with the time of day in another column, and a time with its zone, if it is clear that they
//! belong together. A format that could also be read with day and month swapped is doubtful.

use std::collections::BTreeSet;

use time::{OffsetDateTime, Time};

use super::column::{Column, shortened};
use super::names::{OTHER_MOMENTS, word_of, words};
use super::synonyms::{Standing, standing};
use super::time_reading::TimeReading;
use super::times_of_day::{self, Clock};
use super::verdict::{Candidate, Verdict};
use super::{relations, time_formats, zones};

/// The field that is looked for.
const FIELD: &str = "event_time";
/// Times of events span less than this, unless their name says that they are times of events.
const MAX_YEARS: i32 = 15;
/// The format of the day numbers of spreadsheets.
const EXCEL: &str = "excel";
/// How many abbreviations of zones a person is asked for at most.
const MAX_ABBREVIATIONS: usize = 12;

/// The columns of times of a sample.
#[derive(Debug)]
pub(super) struct EventTimes {
    pub(super) verdict: Verdict,
    /// How the time is read, if the verdict is clear.
    pub(super) reading: Option<TimeReading>,
    /// The indexes of all columns that have times, dates or times of day.
    pub(super) columns: Vec<usize>,
}

/// A column whose values are times.
struct Times<'a> {
    at: usize,
    column: &'a Column,
    /// The same without the abbreviations of zones behind the times, if they have some.
    bare: Option<Column>,
    abbreviations: Vec<String>,
    format: &'static str,
    /// Formats with day and month swapped that fit all values too.
    others: Vec<&'static str>,
    /// The name says that it is the time of the event: `None` if it says nothing.
    standing: Option<(Standing, usize)>,
    /// The word in the name that says that it is another moment.
    other_moment: Option<&'static str>,
    /// The time of each row.
    times: Vec<Option<OffsetDateTime>>,
    is_date: bool,
    /// Numbers may be anything; if the name doesn't say that they are times, they are at most a rival.
    is_unnamed_number: bool,
}

/// Finds the column, or what speaks against those that may be it.
pub(super) fn find(columns: &[Column]) -> EventTimes {
    let mut all: Vec<Times<'_>> = columns
        .iter()
        .enumerate()
        .filter_map(|(at, column)| Times::of(at, column))
        .collect();
    // The best name first; of the same kind, times before dates.
    all.sort_by_key(|times| {
        (
            times.is_unnamed_number,
            times.tier(),
            times.is_date,
            times.standing.map(|(_, rank)| rank),
        )
    });
    let mut found = EventTimes {
        verdict: Verdict::Unknown,
        reading: None,
        columns: all
            .iter()
            .filter(|times| !times.is_unnamed_number)
            .map(|times| times.at)
            .collect(),
    };
    let are_times = found.columns.clone();
    found
        .columns
        .extend((0..columns.len()).filter(|at| times_of_day::are_in(&columns[*at])));
    let Some((best, rest)) = all.split_first().filter(|(best, _)| !best.is_unnamed_number) else {
        return found;
    };
    let rivals: Vec<&Times<'_>> = rest.iter().filter(|other| best.has_rival(other)).collect();
    let mut doubts = Vec::new();
    if let Some(word) = best.other_moment {
        doubts.push(format!(
            "its name (\"{word}\") speaks of another moment than that at which a shopper did something"
        ));
    }
    if !best.abbreviations.is_empty() {
        let words = best.abbreviations.join(", ");
        doubts.push(format!(
            "its values name zones ({words}), and an abbreviation has several meanings"
        ));
    }
    let clocks = Clock::beside(best.is_date, columns, &are_times);
    if let Some(doubt) = Clock::doubt(&clocks, columns) {
        doubts.push(doubt);
    }
    if best.standing.is_none() && best.is_date {
        doubts.push("its name does not say what happened on that day".to_owned());
    }
    if best.standing.is_none() && best.spans_years() {
        doubts.push(format!("its times span more than {MAX_YEARS} years, as birthdays do"));
    }
    let readings = |times: &Times<'_>, format: &str| {
        let whole = TimeReading::of(times.at, format);
        let whole = match times.abbreviations.is_empty() {
            true => whole,
            false => whole.with_abbreviations_behind(&times.abbreviations),
        };
        let own = clocks.iter().filter(|_| times.at == best.at);
        let joined = own.filter_map(|clock| Some(whole.clone().joined_with(clock.at, clock.format?)));
        let mut all: Vec<TimeReading> = joined.collect();
        // The day alone is a reading of its own, unless it is clear which time belongs to it.
        if all.is_empty() || Clock::doubt(&clocks, columns).is_some() {
            all.push(whole);
        }
        all.into_iter().map(|reading| zones::of(reading, columns))
    };
    doubts.extend(readings(best, best.format).find_map(|found| found.doubt));
    if doubts.is_empty() && rivals.is_empty() && best.others.is_empty() {
        found.reading = readings(best, best.format).next().map(|found| found.reading);
        let notes = rest
            .iter()
            .filter(|other| !other.is_unnamed_number)
            .map(|other| other.passed_over(best));
        let midnight = (best.is_date && clocks.is_empty()).then(|| "Days only: every event is at midnight.".to_owned());
        let day_numbers = (best.format == EXCEL).then(|| {
            "Day numbers of a spreadsheet. Old files of Excel for Mac count from 1904: they need format = \"excel_1904\".".to_owned()
        });
        found.verdict = Verdict::Clear {
            column: best.at,
            notes: midnight.into_iter().chain(day_numbers).chain(notes).collect(),
        };
        return found;
    }
    let mut candidates = Vec::new();
    let doubt = match (doubts.is_empty(), rivals.is_empty()) {
        (false, _) => doubts.join("; "),
        (true, false) => "it is not the only column with times that may be meant".to_owned(),
        (true, true) => String::new(),
    };
    for times in std::iter::once(best).chain(rivals) {
        let doubt = match times.at == best.at {
            true => doubt.as_str(),
            false => "it may be the time of the event as well",
        };
        for (format, why) in times.formats(doubt) {
            candidates.extend(readings(times, format).map(|found| Candidate {
                column: times.at,
                time: Some(found.reading),
                why: why.clone(),
            }));
        }
    }
    found.verdict = Verdict::Doubtful(candidates);
    found
}

impl<'a> Times<'a> {
    /// The column as times, if most of its values are some. A number may be anything, unless its name says that it is a time.
    fn of(at: usize, column: &'a Column) -> Option<Self> {
        let (guess, bare, abbreviations) = match time_formats::guess(&column.values) {
            Some(guess) => (guess, None, Vec::new()),
            None => {
                let (bare, abbreviations) = without_abbreviations(column)?;
                (time_formats::guess(&bare.values)?, Some(bare), abbreviations)
            }
        };
        let read = bare.as_ref().unwrap_or(column);
        let standing = standing(FIELD, &column.name);
        let has_digits_only = |value: &str| value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let is_number = guess.is_number || column.mostly(has_digits_only);
        let named = ["time", "timestamp", "ts", "date", "at", "epoch"];
        let is_named = standing.is_some() || words(&column.name).iter().any(|word| named.contains(&word.as_str()));
        let parser = time_formats::parser(guess.format)?;
        let times: Vec<_> = read.cells.iter().map(|cell| parser.parse(cell)).collect();
        // The guess looks at the first values only.
        let mut others = guess.others;
        others.retain(|other| time_formats::may_be_other(guess.format, other, &read.values));
        let is_day_number = guess.format == EXCEL;
        Some(Self {
            at,
            column,
            format: guess.format,
            others,
            standing,
            other_moment: word_of(&column.name, OTHER_MOMENTS).filter(|_| standing.is_none()),
            is_date: times.iter().flatten().all(|time| time.time() == Time::MIDNIGHT),
            times,
            // Day numbers look like many others.
            is_unnamed_number: is_number && (!is_named || (is_day_number && standing.is_none())),
            bare,
            abbreviations,
        })
    }

    /// How near its name is to that of the time of an event, 0 for the nearest.
    fn tier(&self) -> u8 {
        match self.standing {
            Some((Standing::Own, _)) => 0,
            Some((Standing::Sure, _)) => 1,
            Some((Standing::Likely, _)) => 2,
            None if self.other_moment.is_none() => 3,
            None => 4,
        }
    }

    /// Whether `other`, whose name is not better, may be the time of the event just as well.
    fn has_rival(&self, other: &Self) -> bool {
        if relations::same(self.column, other.column) || other.is_day_of(self) {
            return false;
        }
        match self.tier() {
            0 => other.column.gaps() < self.column.gaps() && other.tier() < 3,
            1 => other.tier() == 1,
            // Only the name of another moment tells that it is not meant.
            2 | 3 => other.tier() <= 3,
            _ => true,
        }
    }

    /// Whether it has the days of the other times, without the time of day.
    fn is_day_of(&self, other: &Self) -> bool {
        let days = self.times.iter().zip(&other.times);
        self.is_date
            && !other.is_date
            && days.clone().all(|(day, time)| match (day, time) {
                // Another zone may have another day.
                (Some(day), Some(time)) => (time.date() - day.date()).whole_days().abs() <= 1,
                _ => true,
            })
    }

    fn spans_years(&self) -> bool {
        let years = || self.times.iter().flatten().map(|time| time.year());
        years()
            .max()
            .zip(years().min())
            .is_some_and(|(last, first)| last - first > MAX_YEARS)
    }

    /// The formats of the column: one, or one for each order of day and month, each with `doubt` and what it makes of a value.
    fn formats(&self, doubt: &str) -> Vec<(&'static str, String)> {
        let formats = || std::iter::once(self.format).chain(self.others.iter().copied());
        let parsers: Vec<_> = formats().filter_map(time_formats::parser).collect();
        // A value whose day and month differ.
        let read = self.bare.as_ref().unwrap_or(self.column);
        let telling = read.values.iter().find(|value| {
            let mut times = parsers.iter().filter_map(|parser| parser.parse(value));
            times.next() != times.next()
        });
        let with_doubt = |format| {
            let mut why = doubt.to_owned();
            let parsed = telling.and_then(|value| Some((value, time_formats::parser(format)?.parse(value)?)));
            if let Some((value, time)) = parsed.filter(|_| !self.others.is_empty()) {
                let (day, month, year) = (time.day(), time.month(), time.year());
                let swapped = format!("{} would be {day} {month} {year}", shortened(value));
                why = if why.is_empty() {
                    swapped
                } else {
                    format!("{why}; {swapped}")
                };
            }
            (format, why)
        };
        formats().map(with_doubt).collect()
    }

    /// Why it is not the time of the event, though it has times.
    fn passed_over(&self, chosen: &Self) -> String {
        let name = &self.column.name;
        let value = self
            .column
            .values
            .first()
            .map(|value| shortened(value))
            .unwrap_or_default();
        let why = match self.other_moment {
            _ if self.is_day_of(chosen) => "has the same days".to_owned(),
            Some(word) => format!("has times too, of another moment by its name (\"{word}\")"),
            None => "has times too, but its name is less like that of the time of an event".to_owned(),
        };
        format!("{name:?} {why}: {value}")
    }
}

/// A column without the abbreviations of zones behind its times, and those; `None` if most values have none.
fn without_abbreviations(column: &Column) -> Option<(Column, Vec<String>)> {
    let split =
        |cell: &String| time_formats::split_abbreviation(cell).map(|(time, word)| (time.to_owned(), word.to_owned()));
    let found: Vec<_> = column.cells.iter().map(split).collect();
    let words: BTreeSet<String> = found.iter().flatten().map(|(_, word)| word.clone()).collect();
    let is_usual = found.iter().flatten().count() * 2 > column.values.len();
    let times = found
        .into_iter()
        .zip(&column.cells)
        .map(|(found, cell)| found.map_or_else(|| cell.clone(), |(time, _)| time));
    let bare = Column::new(column.name.clone(), times);
    (is_usual && words.len() <= MAX_ABBREVIATIONS).then(|| (bare, words.into_iter().collect()))
}
