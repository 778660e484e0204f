//! Writes a proposed mapping as TOML, with comments on what was seen and what was guessed.
//!
//! A proposal looks like this:
//!
//! ```text
//! # A mapping for files like "shop.csv", proposed from all 3 rows.
//! # Review it before you use it: the names and values are from the file, their meaning is a guess.
//!
//! delimiter = ";"
//! # No column has ids. With "position", a row that is delivered again in another file is stored again;
//! # with "content", equal rows are one event.
//! ids = "position"
//!
//! [event]
//! # "time": "2026-11-01 10:00", "2026-11-01 10:05"
//! event_time = { column = "time", format = "%Y-%m-%d %H:%M" }
//! # TO BE FILLED IN: no column looks like session_id. Name one; …
//! # session_id = "..."
//! ```
//!
//! What a person must decide is commented out or has the value `TO BE FILLED IN`, so the text can't be used by mistake before that. If
//! several columns may be one field, each is a line of its own with what speaks against it, and none of them is active.

use std::collections::BTreeMap;

use super::column::Column;
use super::guesses::Guesses;
use super::sample::Sample;
use super::time_reading::TimeReading;
use super::toml_text::text;
use super::verdict::{Candidate, Verdict};
use super::{event_types, number_keys, price_columns, synonyms};
use crate::event::mapping::TO_BE_FILLED_IN;
use crate::event::{Currency, Event, EventType, NumberFormat};

/// The fields without which an event would have another meaning: if they are doubtful, the mapping is refused until a person decides.
const DECIDED_BY_A_PERSON: [&str; 2] = ["price", "quantity"];
/// How many unknown words of a column of types are listed. A column with more of them has something else in it, or is dirty.
const MAX_UNKNOWN_WORDS: usize = 12;

/// A mapping that is proposed for a file; made by [`infer_mapping`](super::infer_mapping).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Proposal {
    /// The mapping in TOML, with comments. [`Mapping::from_toml`](crate::Mapping::from_toml) accepts it if nothing is missing.
    pub toml: String,
    /// What a person must fill in before the mapping is accepted: columns of an event that are required, or doubtful; `decimal`, if it is
    /// doubtful which character in a price is in front of the decimals.
    pub missing: Vec<&'static str>,
}

/// Writes the mapping for the guesses, and for each of them what was seen.
pub(super) fn propose(path: &str, sample: &Sample, columns: &[Column], guesses: &Guesses) -> Proposal {
    let mut toml = String::new();
    let mut missing = Vec::new();
    let part = if sample.is_part { "the first" } else { "all" };
    let mut line = |text: String| toml.push_str(&(text + "\n"));
    line(format!(
        "# A mapping for files like {path:?}, proposed from {part} {} rows.",
        sample.rows.len()
    ));
    line("# Review it before you use it: the names and values are from the file, their meaning is a guess.".into());
    if !sample.is_utf8 {
        line("# Some of it is not UTF-8: records that are not will be rejected.".into());
    }
    let odd = sample
        .rows
        .iter()
        .filter(|row| row.len() != sample.header.len())
        .count();
    if odd > 0 {
        let rows = if odd == 1 { "row has" } else { "rows have" };
        line(format!(
            "# {odd} {rows} another number of fields than {} and will be rejected.",
            sample.header.len()
        ));
        let is_short = sample.rows.iter().any(|row| row.len() < sample.header.len());
        let is_long = sample.rows.iter().any(|row| row.len() > sample.header.len());
        let keys = [(is_short, "short_rows = \"fill\""), (is_long, "long_rows = \"cut\"")];
        for (_, key) in keys.into_iter().filter(|(is_odd, _)| *is_odd) {
            line(format!(
                "# If only their last fields are missing or too many, remove the # to store them:\n# {key}"
            ));
        }
    }
    line(String::new());
    sample.traits.lines().into_iter().for_each(&mut line);
    if sample.delimiter != sample.delimiter_of_name {
        line(format!(
            "delimiter = {}",
            text(&char::from(sample.delimiter).to_string())
        ));
    }
    if sample.quote != b'"' {
        line(format!("quote = {}", text(&char::from(sample.quote).to_string())));
    }
    if !sample.has_header {
        line("# The first line is not a header: these names are made up. You can change them, here and below.".into());
        let names: Vec<String> = sample.header.iter().map(|name| text(name)).collect();
        line(format!("header = [{}]", names.join(", ")));
    }
    let mut nulls: BTreeMap<&str, usize> = BTreeMap::new();
    for (word, count) in columns.iter().flat_map(|column| &column.null_words) {
        *nulls.entry(word).or_default() += count;
    }
    if !nulls.is_empty() {
        let seen: Vec<String> = nulls
            .iter()
            .map(|(word, count)| format!("{word} {}", how_often(*count)))
            .collect();
        line(format!("# Seen: {}.", seen.join(", ")));
        let words: Vec<String> = nulls.keys().map(|word| text(word)).collect();
        line(format!("nulls = [{}]", words.join(", ")));
    }
    if guesses.of("event_id").is_none() {
        line(
            "# No column has ids. With \"position\", a row that is delivered again in another file is stored again;"
                .into(),
        );
        line("# with \"content\", equal rows are one event.".into());
        line("ids = \"position\"".into());
    }
    if let Some(why) = purchases_without_price(columns, guesses) {
        line(format!("# {why}"));
        line("price_optional = true".into());
    }
    let mut numbers = NumberFormat::default();
    if let Some(at) = guesses.likeliest("price").or(guesses.likely_price) {
        if number_keys::separators(&columns[at], &guesses.price_reading, &mut line) {
            missing.push("decimal");
        }
        numbers = number_keys::others(&columns[at], &guesses.price_reading, &mut line);
    }
    let unused: Vec<&Column> = (0..columns.len())
        .filter(|at| !guesses.has(*at))
        .map(|at| &columns[at])
        .collect();
    let has_unused = !unused.is_empty();
    if has_unused {
        line("# An event has no field for these columns; with extra = true they are kept in ecom.events.extra:".into());
        for column in unused {
            line(format!("#   {}", seen(column)));
        }
        line("extra = false".into());
    }
    line("\n[event]".into());
    for name in Event::COLUMNS {
        if let Verdict::Doubtful(candidates) = guesses.verdict(name) {
            if rivals(name, candidates, columns, &mut line) {
                missing.push(name);
            }
            continue;
        }
        let Some(column) = guesses.of(name).map(|at| &columns[at]) else {
            if Event::REQUIRED_COLUMNS.contains(&name) {
                missing.push(name);
                line(format!(
                    "# TO BE FILLED IN: no column looks like {name}. {}",
                    advice(name)
                ));
                match guesses.likely_type.filter(|_| name == "event_type") {
                    Some(at) => {
                        line(format!("# It may be {}", seen(&columns[at])));
                        let (entry, _) = event_type(&columns[at], &mut line);
                        line(format!("# {entry}"));
                    }
                    None => line(format!("# {name} = \"...\"")),
                }
            } else if name == "price"
                && let Some(at) = guesses.likely_price
            {
                line("# TO BE FILLED IN: remove the # if these are prices:".into());
                line(format!("# {}", seen(&columns[at])));
                line(format!("# price = {}", text(&columns[at].name)));
            } else if has_unused && name != "event_id" {
                line(format!("# {name} = \"...\"  # TO BE FILLED IN if a column has it"));
            }
            continue;
        };
        line(format!("# {}", seen(column)));
        if let Verdict::Clear { notes, .. } = guesses.verdict(name) {
            notes.iter().for_each(|note| line(format!("# {note}")));
        }
        if Event::REQUIRED_COLUMNS.contains(&name) && column.nulls_percent() > 0.0 {
            line("# Rows without a value will be rejected, unless you give a default.".into());
        }
        let source = text(&column.name);
        match name {
            "event_time" => {
                if let Some(reading) = &guesses.times.reading {
                    let joined = reading.columns.iter().skip(1);
                    joined.for_each(|at| line(format!("# {}", seen(&columns[*at]))));
                    line_of_misfits(name, &reading.misfits(columns), &mut line);
                    if reading.assumes_utc() {
                        line("# The times have no zone, so UTC is assumed; set another one with zone = \"Europe/Berlin\".".into());
                    }
                    line(time_entry(columns, reading));
                }
            }
            "event_type" => {
                let (entry, is_whole) = event_type(column, &mut line);
                if !is_whole {
                    missing.push(name);
                }
                line(entry);
            }
            _ => {
                line_of_misfits(name, &misfits(name, column, &numbers), &mut line);
                line(format!("{name} = {source}"));
            }
        }
    }
    Proposal { toml, missing }
}

/// The entry for a column of types, and whether it is complete: unknown words are left for a person to fill in.
fn event_type(column: &Column, line: &mut impl FnMut(String)) -> (String, bool) {
    let mut values = Vec::new();
    let mut unknown = 0;
    let mut left_out = Vec::new();
    for of in event_types::meanings(column) {
        let word = of.word;
        if let Some(doubt) = &of.doubt {
            line(format!("# {doubt}"));
        }
        let meaning = match of.meaning {
            Some(event_type) if event_type.as_str() == word => continue,
            Some(event_type) => event_type.as_str(),
            None if unknown < MAX_UNKNOWN_WORDS || of.doubt.is_some() => {
                unknown += 1;
                left_out.push(text(word));
                TO_BE_FILLED_IN
            }
            None => {
                let seen = how_often(of.count);
                line(format!(
                    "# {word:?} (seen {seen}) is not an event type and will be rejected."
                ));
                left_out.push(text(word));
                continue;
            }
        };
        values.push(format!("{} = {}", text(word), text(meaning)));
    }
    if unknown > 0 {
        let types: Vec<&str> = EventType::ALL.iter().map(|of| of.as_str()).collect();
        line(format!(
            "# {TO_BE_FILLED_IN}: the meaning of each word, one of {}.",
            types.join(", ")
        ));
        line("# If you remove a word here, its rows are rejected.".into());
    }
    let source = text(&column.name);
    if !left_out.is_empty() {
        let words = left_out.join(", ");
        line(
            "# To leave out the rows of words instead, remove the words here and add at the top, with those words:"
                .into(),
        );
        line(format!("# leave_out = {{ {source} = [{words}] }}"));
    }
    let entry = match values.is_empty() {
        true => format!("event_type = {source}"),
        false => format!(
            "event_type = {{ column = {source}, values = {{ {} }} }}",
            values.join(", ")
        ),
    };
    (entry, unknown == 0)
}

/// A count in words: `once`, `2 times`.
fn how_often(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    }
}

/// The name of a column, some of its values and the share of nulls, on one line.
fn seen(column: &Column) -> String {
    let nulls = match column.nulls_percent() {
        0.0 => String::new(),
        percent => format!("; {percent:.1} % without a value"),
    };
    match column.samples() {
        samples if samples.is_empty() => format!("{}: no values were seen", text(&column.name)),
        samples => format!("{}: {samples}{nulls}", text(&column.name)),
    }
}

/// The values that are not valid for the field `name`.
fn misfits(name: &str, column: &Column, numbers: &NumberFormat) -> Vec<String> {
    let fits = |value: &String| match name {
        "price" | "line_total" => numbers.price(value).is_ok(),
        "quantity" => (numbers.whole_number(value)).is_some_and(|n| n.parse::<i32>().is_ok_and(|n| n >= 1)),
        "currency" => value.parse::<Currency>().is_ok(),
        _ => true,
    };
    column.values.iter().filter(|value| !fits(value)).cloned().collect()
}

/// A comment that counts the values that will be rejected, if there are any.
fn line_of_misfits(name: &str, misfits: &[String], line: &mut impl FnMut(String)) {
    if let Some(first) = misfits.first() {
        let rows = if misfits.len() == 1 {
            "row has a value that is not"
        } else {
            "rows have values that are not"
        };
        line(format!(
            "# {} {rows} valid for {name}, such as {first:?}, and will be rejected.",
            misfits.len()
        ));
    }
}

/// The comment for files that have purchases but no column of prices.
fn purchases_without_price(columns: &[Column], guesses: &Guesses) -> Option<&'static str> {
    let types = &columns[guesses.of("event_type")?];
    let sells = types
        .distinct()
        .any(|(word, _)| synonyms::event_type(word).is_some_and(|(of, _)| of == EventType::Purchase));
    let amounts = guesses.likeliest("price").or(guesses.of("line_total"));
    match (sells, amounts.or(guesses.likely_price)) {
        (true, None) => Some("No column has prices: purchases are stored without a price and add nothing to sales."),
        _ => None,
    }
}

/// Writes the columns among which a person must choose, with what speaks against each. Returns whether the mapping is refused until then.
fn rivals(name: &'static str, candidates: &[Candidate], columns: &[Column], line: &mut impl FnMut(String)) -> bool {
    let is_required = Event::REQUIRED_COLUMNS.contains(&name);
    let is_refused = is_required || DECIDED_BY_A_PERSON.contains(&name);
    let doubtful = format!("# {TO_BE_FILLED_IN}: {name} is doubtful.");
    line(match (is_required, is_refused) {
        (true, _) => format!("{doubtful} Remove the # of the line that is right, or name another column."),
        (_, true) => format!("{doubtful} Remove the # of the line that is right, if one is, and the last line."),
        _ => format!("{doubtful} Without it nothing is wrong; remove the # if it is right."),
    });
    for candidate in candidates {
        let column = &columns[candidate.column];
        let why = match candidate.why.as_str() {
            "" => String::new(),
            why => format!(" - {why}"),
        };
        line(format!("# {}{why}.", seen(column)));
        let entry = match (name, &candidate.time) {
            (_, Some(reading)) => time_entry(columns, reading),
            ("event_type", _) => event_type(column, line).0,
            _ => format!("{name} = {}", text(&column.name)),
        };
        line(format!("# {entry}"));
        if name == "price" && price_columns::may_be_of_line(column) {
            line(format!("# line_total = {}", text(&column.name)));
        }
    }
    if is_refused && !is_required {
        line(format!("{name} = {}", text(TO_BE_FILLED_IN)));
    }
    is_refused
}

/// The entry for a time.
fn time_entry(columns: &[Column], reading: &TimeReading) -> String {
    let names: Vec<String> = reading.columns.iter().map(|at| text(&columns[*at].name)).collect();
    let source = match names.as_slice() {
        [name] => format!("column = {name}"),
        names => format!("columns = [{}]", names.join(", ")),
    };
    let zone = reading.zone.iter().map(|zone| format!(", zone = {}", text(zone)));
    let meanings = reading.abbreviations.iter();
    let meanings: Vec<String> = meanings
        .map(|word| format!("{} = {}", text(word), text(TO_BE_FILLED_IN)))
        .collect();
    let zones = (!meanings.is_empty()).then(|| format!(", zones = {{ {} }}", meanings.join(", ")));
    let more: String = zone.chain(zones).collect();
    format!("event_time = {{ {source}, format = {}{more} }}", text(&reading.format))
}

/// What a person can write for a required field that has no column.
fn advice(name: &str) -> &'static str {
    match name {
        "event_time" => "Name one, with its format: { column = \"...\", format = \"%d-%m-%Y %H:%M\" }.",
        "event_type" => "Name one, or give the type of all rows: { constant = \"purchase\" }.",
        "session_id" => {
            "Name one; with the column of the user, a session is everything that a user ever does; or { constant = \"none\" }."
        }
        _ => "Name one, or a value for all rows: { constant = \"...\" }.",
    }
}
