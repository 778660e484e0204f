//! Time formats with a pattern of `strptime`: `%d.%m.%Y %H:%M`.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::Offset;
use time::OffsetDateTime;

use super::blanks::with_plain_blanks;
use super::directives::{Directive, directives};
use super::error::{TimeFormatError, malformed};
use super::names::{NamedPattern, Names};
use super::trial::{self, Part};
use super::zone::{TimeZone, to_offset_date_time};
use super::zone_text::ZoneText;

/// A time format with a pattern of `strptime`; see [`TimeFormat::strptime`](super::TimeFormat::strptime).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimePattern {
    /// The pattern as it was given.
    pub(super) pattern: String,
    /// The pattern with plain blanks.
    plain: String,
    pub(super) has_zone: bool,
    pub(super) zone: Option<TimeZone>,
    /// The same pattern with names that are looked up in tables.
    pub(super) named: Option<NamedPattern>,
}

impl TimePattern {
    /// The format, and a literal text of it that names a zone other than UTC.
    pub(super) fn new(pattern: &str, names: Option<&Arc<Names>>) -> Result<(Self, Option<String>), TimeFormatError> {
        let plain = with_plain_blanks(pattern).into_owned();
        let parts = directives(&plain);
        let has = |letters: &str| {
            let mut of_values = parts.iter().filter_map(|part| part.letter());
            of_values.any(|letter| letters.contains(letter))
        };
        if has("Z") && names.is_none_or(|names| !names.has_zones()) {
            return Err(TimeFormatError::NeedsZones(pattern.to_owned()));
        }
        if has("HkTR") && has("pP") {
            let part = parts
                .iter()
                .find(|part| part.letter().is_some_and(|letter| "pP".contains(letter)));
            return Err(TimeFormatError::Ignored {
                format: pattern.to_owned(),
                part: part.map_or("%p", |part| part.as_str()).to_owned(),
                text: "02:30 PM".to_owned(),
                time: "02:30 or 14:30, depending on who reads it".to_owned(),
            });
        }
        let has_own_zone = has("zQsZ");
        let mut zone_text = ZoneText::default();
        let (mut behind_time, mut behind_digits) = (false, false);
        for part in &parts {
            match part {
                Directive::Text(text) => {
                    zone_text.add(text, behind_digits, behind_time);
                    behind_digits = text.ends_with(|c: char| c.is_ascii_digit());
                }
                Directive::Value(_) => {
                    let letter = part.letter().unwrap_or(' ');
                    behind_time |= "HIklTR".contains(letter);
                    behind_digits = !"aAbBhpPQZnt%".contains(letter);
                }
            }
        }
        let format = Self {
            pattern: pattern.to_owned(),
            plain: plain.clone(),
            has_zone: has_own_zone || (zone_text.is_utc && zone_text.unread.is_none()),
            zone: None,
            named: names.and_then(|names| NamedPattern::new(names, &parts)),
        };
        // The cause of a pattern that is not valid says more than a moment that can't be written.
        if format.named.is_none() {
            let sample = jiff::civil::date(2001, 12, 31).at(23, 59, 58, 0);
            let written = sample
                .to_zoned_datetime(jiff::tz::TimeZone::UTC)
                .and_then(|sample| strtime::format(&plain, &sample))
                .map_err(|cause| malformed(pattern, cause))?;
            BrokenDownTime::parse(&plain, &written).map_err(|cause| malformed(pattern, cause))?;
        }
        trial::check(pattern, &format.forms(), |text| format.read(text))?;
        Ok((format, zone_text.unread.filter(|_| !has_own_zone)))
    }

    /// The time that a text stands for.
    pub(super) fn read(&self, text: &str) -> Option<OffsetDateTime> {
        let text = with_plain_blanks(text);
        let (pattern, text, zone) = match &self.named {
            None => (self.plain.as_str(), text, None),
            Some(named) => {
                let (text, zone) = named.translate(&text)?;
                (named.pattern(), Cow::Owned(text), zone)
            }
        };
        let read = BrokenDownTime::parse(pattern, text.as_bytes()).ok()?;
        if read.second() == Some(59) && has_second_60(pattern, &text, &read) {
            return None;
        }
        resolve(&read, zone.as_ref().or(self.zone.as_ref()))
    }

    /// The parts of a text, in the only form that it has.
    pub(super) fn forms(&self) -> Vec<Vec<Part<'_>>> {
        let parts = directives(&self.plain);
        let has_offset = parts.iter().any(|part| part.letter() == Some('z'));
        let part = |directive: Directive<'_>| match directive {
            Directive::Text(text) => Part::text(text),
            Directive::Value(value) => {
                let name = value.to_owned();
                let letter = directive.letter();
                // Beside an offset a zone is a name, not another offset.
                let is_name = letter == Some('Q') && has_offset;
                Part::new(value, move |moment| {
                    if is_name && !moment.offset().is_utc() {
                        return None;
                    }
                    let named = self.named.as_ref().zip(letter);
                    let named = named.and_then(|(named, letter)| named.names.write(letter, moment));
                    named.or_else(|| written(&name, moment))
                })
            }
        };
        vec![parts.into_iter().map(part).collect()]
    }
}

/// The moment that was read, in `zone` if it has no zone of its own.
fn resolve(read: &BrokenDownTime, zone: Option<&TimeZone>) -> Option<OffsetDateTime> {
    if let Some(timestamp) = read.timestamp() {
        let whole = to_offset_date_time(timestamp)?;
        return match read.subsec_nanosecond() {
            None => Some(whole),
            Some(nanos) => whole.replace_nanosecond(nanos.try_into().ok()?).ok(),
        };
    }
    let civil = read.to_datetime().ok()?;
    match (read.offset(), read.iana_time_zone()) {
        (Some(_), Some(name)) => {
            TimeZone::in_text(name)?;
            to_offset_date_time(read.to_zoned_datetime().ok()?.timestamp())
        }
        (Some(offset), None) => to_offset_date_time(offset.to_timestamp(civil).ok()?),
        (None, Some(name)) => TimeZone::in_text(name)?.resolve_civil(civil),
        (None, None) => zone.unwrap_or(&TimeZone::UTC).resolve_civil(civil),
    }
}

/// Whether the second of a text that was read is 60, which `jiff` takes as 59: then 59 in its place gives the same time.
#[cold]
fn has_second_60(pattern: &str, text: &str, read: &BrokenDownTime) -> bool {
    let civil = |read: &BrokenDownTime| read.to_datetime().ok();
    text.match_indices("60").any(|(at, _)| {
        let other = format!("{}59{}", &text[..at], &text[at + 2..]);
        BrokenDownTime::parse(pattern, other).is_ok_and(|other| civil(&other) == civil(read))
    })
}

/// A directive as it is written for a moment.
fn written(directive: &str, moment: OffsetDateTime) -> Option<String> {
    let offset = Offset::from_seconds(moment.offset().whole_seconds()).ok()?;
    let zone = match offset {
        Offset::UTC => jiff::tz::TimeZone::UTC,
        _ => jiff::tz::TimeZone::fixed(offset),
    };
    let timestamp = jiff::Timestamp::from_nanosecond(moment.unix_timestamp_nanos()).ok()?;
    strtime::format(directive, &timestamp.to_zoned_datetime(zone)).ok()
}
