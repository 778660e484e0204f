//! Names in times that are not English or have several meanings: months, weekdays, the halves of the day, abbreviations of zones.
//!
//! A text is read piece by piece up to each name. The name is looked up in its table and replaced by the English one; a zone is taken
//! out. What comes of it is read by an ordinary pattern.

use std::sync::Arc;

use jiff::fmt::strtime::BrokenDownTime;
use time::OffsetDateTime;

use super::blanks::with_plain_blanks;
use super::directives::Directive;
use super::error::TimeFormatError;
use super::zone::TimeZone;

/// The tables of names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Names {
    /// January to December, once or several times.
    months: Vec<String>,
    /// Monday to Sunday, once or several times.
    weekdays: Vec<String>,
    /// Morning and afternoon, once or several times.
    am_pm: Vec<String>,
    zones: Vec<(String, TimeZone)>,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Month,
    Weekday,
    HalfOfDay,
    Zone,
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const HALVES: [&str; 2] = ["AM", "PM"];

impl Names {
    /// Checks the tables. Each may be empty.
    pub(super) fn new(
        months: Vec<String>,
        weekdays: Vec<String>,
        am_pm: Vec<String>,
        zones: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, TimeFormatError> {
        let tables = [
            (&months, 12, "months needs 12 names, January to December"),
            (&weekdays, 7, "weekdays needs 7 names, Monday to Sunday"),
            (
                &am_pm,
                2,
                "am_pm needs 2 words, that of the morning and that of the afternoon",
            ),
        ];
        for (names, number, what) in tables {
            if names.len() % number != 0 || names.iter().any(|name| name.trim().is_empty()) {
                return Err(TimeFormatError::Names(format!(
                    "{what}; if they are written in several ways, all of them again"
                )));
            }
        }
        let zone = |(name, zone): (String, String)| match name.trim().is_empty() {
            true => Err(TimeFormatError::Names("a name in zones is empty".to_owned())),
            false => Ok((plain(&name), TimeZone::named(&zone)?)),
        };
        Ok(Self {
            months: months.iter().map(|name| plain(name)).collect(),
            weekdays: weekdays.iter().map(|name| plain(name)).collect(),
            am_pm: am_pm.iter().map(|name| plain(name)).collect(),
            zones: zones.into_iter().map(zone).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.months.is_empty() && self.weekdays.is_empty() && self.am_pm.is_empty() && self.zones.is_empty()
    }

    pub(super) fn has_zones(&self) -> bool {
        !self.zones.is_empty()
    }

    /// The first table that no directive with one of `letters` reads from, and the directive for it.
    pub(super) fn unused(&self, letters: &[char]) -> Option<(&'static str, &'static str)> {
        let tables = [
            (self.months.is_empty(), "bBh", "months", "%b"),
            (self.weekdays.is_empty(), "aA", "weekdays", "%a"),
            (self.am_pm.is_empty(), "pP", "am_pm", "%p"),
            (self.zones.is_empty(), "Z", "zones", "%Z"),
        ];
        let is_used = |of: &str| letters.iter().any(|letter| of.contains(*letter));
        let unused = tables.into_iter().find(|(is_empty, of, ..)| !is_empty && !is_used(of));
        unused.map(|(_, _, table, directive)| (table, directive))
    }

    /// All names, for the fingerprint of a mapping.
    pub(super) fn as_given(&self) -> String {
        let mut zones: Vec<_> = self.zones.iter().map(|(name, zone)| (name, zone.as_given())).collect();
        zones.sort();
        serde_json::json!([self.months, self.weekdays, self.am_pm, zones]).to_string()
    }

    /// What a directive with this letter is written as; `None` if it has no table.
    pub(super) fn write(&self, letter: char, moment: OffsetDateTime) -> Option<String> {
        let name = match self.kind(letter)? {
            Kind::Month => self.months.get(usize::from(u8::from(moment.month())) - 1)?,
            Kind::Weekday => self
                .weekdays
                .get(usize::from(moment.weekday().number_days_from_monday()))?,
            Kind::HalfOfDay => self.am_pm.get(usize::from(moment.hour() >= 12))?,
            Kind::Zone => return moment.offset().is_utc().then(|| "UTC".to_owned()),
        };
        Some(name.clone())
    }

    /// The table for a directive, if there is one.
    fn kind(&self, letter: char) -> Option<Kind> {
        match letter {
            'b' | 'B' | 'h' if !self.months.is_empty() => Some(Kind::Month),
            'a' | 'A' if !self.weekdays.is_empty() => Some(Kind::Weekday),
            'p' | 'P' if !self.am_pm.is_empty() => Some(Kind::HalfOfDay),
            'Z' if !self.zones.is_empty() => Some(Kind::Zone),
            _ => None,
        }
    }
}

/// A pattern whose names are looked up in tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedPattern {
    pub(super) names: Arc<Names>,
    segments: Vec<Segment>,
    /// The pattern with English names and without the zone.
    pattern: String,
}

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Pattern(String),
    Name(Kind),
}

impl NamedPattern {
    /// The pattern in pieces; `None` if it has no directive for which there is a table.
    pub(super) fn new(names: &Arc<Names>, parts: &[Directive<'_>]) -> Option<Self> {
        let (mut segments, mut pattern) = (Vec::new(), String::new());
        for part in parts {
            let kind = part.letter().and_then(|letter| names.kind(letter));
            pattern.push_str(match kind {
                None => part.as_str(),
                Some(Kind::Month) => "%b",
                Some(Kind::Weekday) => "%a",
                Some(Kind::HalfOfDay) => "%p",
                Some(Kind::Zone) => "",
            });
            match (kind, segments.last_mut()) {
                (Some(kind), _) => segments.push(Segment::Name(kind)),
                (None, Some(Segment::Pattern(before))) => before.push_str(part.as_str()),
                (None, _) => segments.push(Segment::Pattern(part.as_str().to_owned())),
            }
        }
        let has_names = segments.iter().any(|segment| matches!(segment, Segment::Name(_)));
        has_names.then(|| Self {
            names: Arc::clone(names),
            segments,
            pattern,
        })
    }

    /// The pattern with English names.
    pub(super) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The text with English names, and the zone that it names.
    pub(super) fn translate(&self, text: &str) -> Option<(String, Option<TimeZone>)> {
        let (mut translated, mut zone) = (String::with_capacity(text.len()), None);
        let mut rest = text;
        for segment in &self.segments {
            let used = match segment {
                Segment::Pattern(pattern) => {
                    let (_, used) = BrokenDownTime::parse_prefix(pattern, rest).ok()?;
                    translated.push_str(rest.get(..used)?);
                    used
                }
                Segment::Name(Kind::Zone) => {
                    let (used, found) = self.names.zone_at(rest)?;
                    zone = Some(found);
                    used
                }
                Segment::Name(Kind::Month) => name_at(rest, &self.names.months, &MONTHS, &mut translated)?,
                Segment::Name(Kind::Weekday) => name_at(rest, &self.names.weekdays, &WEEKDAYS, &mut translated)?,
                Segment::Name(Kind::HalfOfDay) => name_at(rest, &self.names.am_pm, &HALVES, &mut translated)?,
            };
            rest = rest.get(used..)?;
        }
        rest.is_empty().then_some((translated, zone))
    }
}

impl Names {
    /// The zone at the beginning of the text: the longest name of the table, else a name of the IANA database or an offset. Returns how
    /// long it is.
    fn zone_at(&self, text: &str) -> Option<(usize, TimeZone)> {
        let is_inside = |c: char| c.is_alphanumeric() || "+-:/_\u{2212}".contains(c);
        let known = self
            .zones
            .iter()
            .filter_map(|(name, zone)| Some((length_of(text, name)?, zone)));
        // `MEST` is not `MES` with a letter behind it.
        let whole = known.filter(|(used, _)| !text[*used..].starts_with(char::is_alphanumeric));
        match whole.max_by_key(|(used, _)| *used) {
            Some((used, zone)) => Some((used, zone.clone())),
            None => {
                let used = text.find(|c| !is_inside(c)).unwrap_or(text.len());
                Some((used, TimeZone::in_text(&text[..used])?))
            }
        }
    }
}

/// Looks up the longest of the `names` at the beginning of the text, and writes the English one. Returns how long the name is.
fn name_at(text: &str, names: &[String], english: &[&str], translated: &mut String) -> Option<usize> {
    let numbered = names.iter().enumerate();
    let found = numbered.filter_map(|(at, name)| Some((length_of(text, name)?, at)));
    let (used, at) = found.max_by_key(|(used, _)| *used)?;
    translated.push_str(english[at % english.len()]);
    Some(used)
}

/// How many bytes `name` takes at the beginning of the text, in any case; `None` if it is not there.
fn length_of(text: &str, name: &str) -> Option<usize> {
    let mut rest = text.chars();
    for expected in name.chars() {
        let found = rest.next()?;
        if found != expected && !found.to_lowercase().eq(expected.to_lowercase()) {
            return None;
        }
    }
    Some(text.len() - rest.as_str().len())
}

/// A name with plain blanks.
fn plain(name: &str) -> String {
    with_plain_blanks(name).into_owned()
}
