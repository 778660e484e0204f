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
    /// Formats that read the values as other times: with day and month swapped, mostly.
    pub(super) others: Vec<&'static str>,
    /// Whether the values are numbers, which may also be something else than times.
    pub(super) is_number: bool,
}

/// The formats of whole times and of dates that are tried, the most likely first.
const FORMATS: [&str; 67] = [
    "rfc3339",
    "epoch_s",
    "epoch_ms",
    "epoch_us",
    "epoch_ns",
    "excel",
    // The year first, as ISO 8601, databases and data frames write it.
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.f UTC",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M:%S%.f%:::z",
    "%Y-%m-%d %H:%M:%S%.f %z",
    "%Y-%m-%d %H:%M:%S%.f %:z",
    "%Y-%m-%d %H:%M:%S%.f %Q",
    "%Y-%m-%d %H:%M:%S,%f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y-%m-%dT%H:%M:%S%.f%:::z",
    "%Y-%m-%dT%H:%M:%S,%f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%MZ",
    "%Y-%m-%dT%H:%M%:z",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %I:%M:%S %p",
    "%Y-%m-%d %I:%M %p",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y.%m.%d %H:%M:%S",
    "%Y.%m.%d",
    "%Y%m%dT%H%M%SZ",
    "%Y%m%dT%H%M%S",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d %H:%M",
    // A number may have a blank in front, so this reads "20261101 093000" too.
    "%Y%m%d%H%M%S",
    "%Y%m%d%H%M",
    "%Y%m%d",
    "%y-%m-%d",
    "%y-%m-%d %H:%M:%S",
    "%y/%m/%d",
    // Names of months, as mails, servers, browsers and people write them.
    "%a, %d %b %Y %H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S GMT",
    "%d %b %Y %H:%M:%S %z",
    "%d/%b/%Y:%H:%M:%S %z",
    "[%d/%b/%Y:%H:%M:%S %z]",
    "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S %z %Y",
    "%a %b %d %H:%M:%S UTC %Y",
    "%a %b %d %Y %H:%M:%S GMT%z",
    "%d-%b-%Y",
    "%d-%b-%Y %H:%M",
    "%d-%b-%Y %H:%M:%S%.f",
    "%d-%b-%y",
    "%d %b %Y",
    "%d %b %Y %H:%M",
    "%d %b %Y %H:%M:%S",
    "%d %B %Y",
    "%b %d, %Y",
    "%b %d, %Y %H:%M:%S",
    "%b %d, %Y, %I:%M:%S %p",
    "%b %d, %Y, %I:%M %p",
    "%b %d, %Y %I:%M %p",
    "%B %d, %Y",
    "%A, %B %d, %Y",
    "%A, %d %B %Y",
];

/// The formats of dates whose day and month could be swapped, but for those with points: they have the day first everywhere.
const DATES: [&str; 10] = [
    "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y",
    "%d.%m.%y",
];

/// What may follow such a date.
const CLOCKS: [&str; 12] = [
    "",
    " %H:%M",
    " %H:%M:%S",
    " %H:%M:%S%.f",
    " %I:%M:%S%p",
    " %I:%M%p",
    " %I:%M:%S %p",
    " %I:%M %p",
    ", %H:%M:%S",
    ", %H:%M",
    ", %I:%M:%S %p",
    " %H:%M:%S %z",
];

/// The formats of times of day that are tried, the most likely first.
const TIMES_OF_DAY: [&str; 15] = [
    "%H:%M:%S",
    "%H:%M",
    "%H:%M:%S%.f",
    "%I:%M:%S%p",
    "%I:%M%p",
    "%I:%M:%S %p",
    "%I:%M %p",
    "%H.%M.%S",
    "%H.%M",
    "%Hh%M",
    "%H%M%S",
    "%H%M",
    "%I%p",
    "%I %p",
    "%H",
];

/// A parser for each of [`FORMATS`], and of [`DATES`] with each of [`CLOCKS`], made once: each is tried on many columns.
static PARSERS: LazyLock<Vec<(String, TimeFormat)>> = LazyLock::new(|| {
    let joined = CLOCKS
        .iter()
        .flat_map(|clock| DATES.iter().map(move |date| format!("{date}{clock}")));
    let all = FORMATS.into_iter().map(str::to_owned).chain(joined);
    let parser = |format: String| TimeFormat::named(&format).ok().map(|parser| (format, parser));
    all.filter_map(parser).collect()
});

/// A parser for each of [`TIMES_OF_DAY`], behind a date.
static PARSERS_OF_DAY: LazyLock<Vec<(&str, TimeFormat)>> = LazyLock::new(|| {
    let parser = |format: &'static str| Some((format, TimeFormat::named(&format!("%Y-%m-%d {format}")).ok()?));
    TIMES_OF_DAY.into_iter().filter_map(parser).collect()
});

/// The parser for one of the formats that are tried.
pub(super) fn parser(format: &str) -> Option<&'static TimeFormat> {
    PARSERS.iter().find(|(of, _)| of == format).map(|(_, parser)| parser)
}

/// The format in which most values are times between the year 2000 and tomorrow; `None` if no format fits more than half of them.
pub(super) fn guess(values: &[String]) -> Option<Guess> {
    const MAX_LOOKED_AT: usize = 1_000;
    // A format that fits more than half of the values fits one of so many.
    const MAX_PROBES: usize = 12;
    let values = &values[..values.len().min(MAX_LOOKED_AT)];
    let days = datetime!(2000-01-01 00:00 UTC)..OffsetDateTime::now_utc() + Duration::days(1);
    let time = |parser: &TimeFormat, value: &str| parser.parse(value).filter(|time| days.contains(time));
    let probes: Vec<&String> = values
        .iter()
        .step_by(values.len().div_ceil(MAX_PROBES).max(1))
        .collect();
    if !probes.iter().any(|value| may_be_time(value)) {
        return None;
    }
    // CET and EST are names of zones too, but files mean other things by them.
    let has_abbreviation = probes.iter().any(|value| split_abbreviation(value).is_some());
    let possible = PARSERS
        .iter()
        .filter(|(format, _)| !(has_abbreviation && format.ends_with("%Q")))
        .filter(|(_, parser)| probes.iter().any(|value| time(parser, value).is_some()));
    let fitting: Vec<_> = possible
        .map(|(format, parser)| {
            let times: Vec<_> = values.iter().map(|value| time(parser, value)).collect();
            (format.as_str(), times)
        })
        .collect();
    let count = |times: &[Option<OffsetDateTime>]| times.iter().flatten().count();
    let most = fitting
        .iter()
        .map(|(_, times)| count(times))
        .max()
        .filter(|most| most * 2 > values.len())?;
    let (format, times) = fitting.iter().find(|(_, times)| count(times) == most)?;
    // A format that fits as well and gives another time, or that reads what this one does not.
    let is_rival = |(other, others): &&(&'static str, Vec<Option<OffsetDateTime>>)| {
        let mut both = times.iter().zip(others);
        let differs = both.any(|(one, other)| one.is_some() && other.is_some() && one != other);
        let reads_more = times
            .iter()
            .zip(others)
            .any(|(one, other)| one.is_none() && other.is_some());
        other != format && differs && (count(others) == most || reads_more)
    };
    Some(Guess {
        format,
        is_number: format.starts_with("epoch_") || *format == "excel",
        others: fitting.iter().filter(is_rival).map(|(other, _)| *other).collect(),
    })
}

/// Whether nothing in the values tells that `format` is meant and not `other`.
pub(super) fn may_be_other(format: &str, other: &str, values: &[String]) -> bool {
    let (Some(format), Some(other)) = (parser(format), parser(other)) else {
        return false;
    };
    let reads: Vec<_> = values
        .iter()
        .map(|value| (format.parse(value).is_some(), other.parse(value).is_some()))
        .collect();
    reads.contains(&(false, true)) || !reads.contains(&(true, false))
}

/// Whether a text is short, and has a digit.
fn may_be_time(value: &str) -> bool {
    const MAX_BYTES: usize = 64;
    value.len() <= MAX_BYTES && value.bytes().any(|byte| byte.is_ascii_digit())
}

/// The abbreviation of a zone behind a time, and the time without it: `2026-11-01 09:30 CET`.
pub(super) fn split_abbreviation(value: &str) -> Option<(&str, &str)> {
    const NO_ZONES: [&str; 5] = ["UTC", "GMT", "AM", "PM", "Z"];
    let (time, word) = value.rsplit_once(' ')?;
    let is_abbreviation = (2..=5).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_uppercase());
    (is_abbreviation && may_be_time(time) && !NO_ZONES.contains(&word)).then_some((time, word))
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
