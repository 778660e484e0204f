//! Finds the column of the zones in which times are written.

use super::column::Column;
use super::names::{ZONES, words};
use super::time_reading::TimeReading;
use crate::event::{TimeFormat, TimeZone};

/// How many abbreviations a person is asked for at most.
const MAX_ABBREVIATIONS: usize = 12;

/// A reading of times in the zones of another column, if there is one.
#[derive(Debug)]
pub(super) struct Zoned {
    pub(super) reading: TimeReading,
    /// Why a person must say what the zones are.
    pub(super) doubt: Option<String>,
}

/// The reading in the zones that another column gives, if its times have none themselves.
pub(super) fn of(reading: TimeReading, columns: &[Column]) -> Zoned {
    let found = (0..columns.len()).find(|at| are_in(&columns[*at]));
    let Some(at) = found.filter(|_| reading.assumes_utc()) else {
        return Zoned { reading, doubt: None };
    };
    let column = &columns[at];
    let words: Vec<&str> = column.distinct().map(|(word, _)| word).collect();
    let unknown = || words.iter().copied().filter(|word| TimeZone::in_text(word).is_none());
    let known = match words.as_slice() {
        _ if unknown().next().is_some() => None,
        [zone] if column.gaps() == 0 => Some(reading.clone().in_zone(if *zone == "Z" { "UTC" } else { zone })),
        zones => directive(zones).map(|directive| reading.clone().joined_with(at, directive)),
    };
    if let Some(reading) = known {
        return Zoned { reading, doubt: None };
    }
    let is_abbreviation = |word: &str| (2..=5).contains(&word.len()) && word.chars().all(char::is_alphabetic);
    let can_be_said =
        unknown().next().is_some() && unknown().all(is_abbreviation) && unknown().count() <= MAX_ABBREVIATIONS;
    let doubt = format!(
        "its zone stands in {:?} ({}), so the times are not in UTC as they stand{}",
        column.name,
        column.samples(),
        if can_be_said {
            "; an abbreviation has several meanings"
        } else {
            ""
        }
    );
    let abbreviations = unknown().map(str::to_owned).collect();
    let reading = match can_be_said {
        true => reading.joined_with(at, "%Z").with_abbreviations(abbreviations),
        false => reading,
    };
    Zoned {
        reading,
        doubt: Some(doubt),
    }
}

/// The part of a pattern that reads all of these zones.
fn directive(zones: &[&str]) -> Option<&'static str> {
    const NOON: &str = "2026-07-01 12:00";
    ["%z", "%:z", "%Q", "%:Q"].into_iter().find(|directive| {
        let format = TimeFormat::named(&format!("%Y-%m-%d %H:%M {directive}"));
        let is_read = |format: &TimeFormat, zone: &str| {
            let local = TimeFormat::named("%Y-%m-%d %H:%M").and_then(|local| local.in_zone(TimeZone::named(zone)?));
            let right = local.ok().and_then(|local| local.parse(NOON));
            right.is_some() && format.parse(&format!("{NOON} {zone}")) == right
        };
        format.is_ok_and(|format| zones.iter().all(|zone| is_read(&format, zone)))
    })
}

/// Whether the column is named as one of zones is, and has short texts.
fn are_in(column: &Column) -> bool {
    let joined: String = words(&column.name).concat();
    let is_named = ZONES.contains(&joined.as_str()) || ["timezone", "tz"].iter().any(|end| joined.ends_with(end));
    is_named && !column.values.is_empty() && !column.mostly(|value| value.len() > 40)
}
