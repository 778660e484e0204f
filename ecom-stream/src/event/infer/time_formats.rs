//! Guesses the format of a column of times.
//!
//! Every format of the list is tried on up to a thousand values. The one that fits most of them wins; of several that fit equally well,
//! the first. `01/02/2026` fits both orders of day and month: then the other one is reported too, because only a person can decide.

use std::sync::LazyLock;

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::event::TimeFormat;

/// The guessed format of a column of times.
#[derive(Debug, Clone)]
pub(super) struct Guess {
    pub(super) format: &'static str,
    /// Formats with day and month swapped that fit all the values too.
    pub(super) others: Vec<&'static str>,
    /// Whether the values are numbers, which may also be something else than times.
    pub(super) is_number: bool,
}

/// The formats that are tried, the most likely first.
const FORMATS: [&str; 36] = [
    "rfc3339",
    "epoch_s",
    "epoch_ms",
    "epoch_us",
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.f UTC",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f%:z",
    "%Y-%m-%d %H:%M:%S%.f %z",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%d-%m-%Y %H:%M:%S",
    "%m-%d-%Y %H:%M",
    "%m-%d-%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%d/%m/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%d/%m/%Y %I:%M %p",
    "%m/%d/%y %H:%M",
    "%d/%m/%y %H:%M",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d.%m.%y %H:%M",
    "%d/%b/%Y:%H:%M:%S %z",
];

/// The formats of times of day that are tried, the most likely first.
const TIMES_OF_DAY: [&str; 15] = [
    "%H:%M:%S",
    "%H:%M",
    "%H:%M:%S%.f",
    "%I:%M:%S %p",
    "%I:%M %p",
    "%I:%M:%S%p",
    "%I:%M%p",
    "%H.%M.%S",
    "%H.%M",
    "%Hh%M",
    "%H%M%S",
    "%H%M",
    "%I %p",
    "%I%p",
    "%H",
];

/// A parser for each of [`FORMATS`], made once: each is tried on many columns.
static PARSERS: LazyLock<Vec<(&str, TimeFormat)>> = LazyLock::new(|| {
    let parser = |format: &'static str| Some((format, TimeFormat::named(format).ok()?));
    FORMATS.into_iter().filter_map(parser).collect()
});

/// A parser for each of [`TIMES_OF_DAY`], behind a date.
static PARSERS_OF_DAY: LazyLock<Vec<(&str, TimeFormat)>> = LazyLock::new(|| {
    let parser = |format: &'static str| Some((format, TimeFormat::named(&format!("%Y-%m-%d {format}")).ok()?));
    TIMES_OF_DAY.into_iter().filter_map(parser).collect()
});

/// The parser for one of [`FORMATS`].
pub(super) fn parser(format: &str) -> Option<&'static TimeFormat> {
    PARSERS.iter().find(|(of, _)| *of == format).map(|(_, parser)| parser)
}

/// The format in which most values are times between the year 2000 and tomorrow; `None` if no format fits at least half of them.
pub(super) fn guess(values: &[String]) -> Option<Guess> {
    const MAX_LOOKED_AT: usize = 1_000;
    let values = &values[..values.len().min(MAX_LOOKED_AT)];
    let days = datetime!(2000-01-01 00:00 UTC)..OffsetDateTime::now_utc() + Duration::days(1);
    let fitting = |(format, parser): &(&'static str, TimeFormat)| {
        let fits = |value: &&String| parser.parse(value).is_some_and(|time| days.contains(&time));
        (*format, values.iter().filter(fits).count())
    };
    let fitting: Vec<_> = PARSERS.iter().map(fitting).collect();
    let most = fitting
        .iter()
        .map(|(_, fits)| *fits)
        .max()
        .filter(|most| most * 2 > values.len())?;
    let mut best = fitting
        .into_iter()
        .filter(|(_, fits)| *fits == most)
        .map(|(format, _)| format);
    let format = best.next()?;
    Some(Guess {
        format,
        is_number: format.starts_with("epoch_"),
        // Other formats that fit give the same times; only with day and month swapped they differ.
        others: best.filter(|other| is_swapped(format, other)).collect(),
    })
}

/// The format in which most values are times of day; `None` if no format fits more than half of them.
pub(super) fn guess_time_of_day(values: &[String]) -> Option<&'static str> {
    let fitting = |(format, parser): &(&'static str, TimeFormat)| {
        let fits = |value: &&String| parser.parse(&format!("2020-01-01 {value}")).is_some();
        (values.iter().filter(fits).count(), *format)
    };
    let mut fitting: Vec<_> = PARSERS_OF_DAY.iter().map(fitting).collect();
    // The sort is stable: of several that fit equally well, the first is taken.
    fitting.sort_by_key(|(fits, _)| std::cmp::Reverse(*fits));
    let (fits, format) = fitting.first()?;
    (fits * 2 > values.len()).then_some(*format)
}

/// How many values are not times in a format.
pub(super) fn misfits(format: &str, values: &[String]) -> usize {
    let is_time = |value: &&String| parser(format).is_some_and(|format| format.parse(value).is_some());
    values.len() - values.iter().filter(is_time).count()
}

/// Whether two formats differ only in the order of day and month.
fn is_swapped(format: &str, other: &str) -> bool {
    let swapped = format.replace("%d", "\0").replace("%m", "%d").replace('\0', "%m");
    swapped == other
}
