//! Time formats with a description of the `time` crate: `[year]-[month]-[day] [hour]:[minute]`.

use time::format_description::{Component, OwnedFormatItem};
use time::parsing::Parsed;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

use super::error::{TimeFormatError, malformed};
use super::trial::{self, Part};
#[cfg(feature = "mapping")]
use super::zone::TimeZone;
use super::zone_text::ZoneText;

/// A time format with a description of the `time` crate; see [`TimeFormat::described`](super::TimeFormat::described).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeDescription {
    /// The description as it was given.
    pub(super) description: String,
    /// The description, parsed.
    format: OwnedFormatItem,
    /// Whether a text in this format determines its own zone or offset.
    pub(super) has_zone: bool,
    /// The zone of times without one; UTC if it is `None`.
    #[cfg(feature = "mapping")]
    pub(super) zone: Option<TimeZone>,
}

/// A time as it was read.
pub(super) enum Read {
    /// With its own offset.
    Instant(OffsetDateTime),
    /// In the zone of the format.
    Civil(PrimitiveDateTime),
}

/// How many forms of a format with optional parts are tried.
const MAX_FORMS: usize = 32;

impl TimeDescription {
    /// The format, and a literal text of it that names a zone other than UTC.
    pub(super) fn new(description: &str) -> Result<(Self, Option<String>), TimeFormatError> {
        let format: OwnedFormatItem =
            time::format_description::parse_owned::<2>(description).map_err(|cause| malformed(description, cause))?;
        let mut described = Self {
            description: description.to_owned(),
            format,
            has_zone: false,
            #[cfg(feature = "mapping")]
            zone: None,
        };
        let forms = described.forms();
        let parts = || forms.iter().flatten();
        let has_own_zone = parts().any(|part| part.name.starts_with("[offset") || part.name.starts_with("[unix"));
        let mut zone_text = ZoneText::default();
        for form in &forms {
            let mut behind_time = false;
            let mut before = "";
            for part in form {
                match part.is_text {
                    true => zone_text.add(&part.name, ends_with_digit(before), behind_time),
                    false => behind_time |= part.name.starts_with("[hour"),
                }
                before = &part.name;
            }
        }
        trial::check(description, &forms, |text| match described.read(text)? {
            Read::Instant(time) => Some(time),
            Read::Civil(civil) => Some(civil.assume_utc()),
        })?;
        drop(forms);
        described.has_zone = has_own_zone || (zone_text.is_utc && zone_text.unread.is_none());
        let unread = zone_text.unread.filter(|_| !has_own_zone);
        Ok((described, unread))
    }

    /// The time that a text stands for; `None` if a part of it is wrong or contradicts another one.
    pub(super) fn read(&self, text: &str) -> Option<Read> {
        let mut parsed = Parsed::new();
        let rest = parsed.parse_item(text.as_bytes(), &self.format).ok()?;
        if !rest.is_empty() {
            return None;
        }
        if parsed.unix_timestamp_nanos().is_some() {
            return OffsetDateTime::try_from(parsed).ok().map(Read::Instant);
        }
        let date = Date::try_from(parsed).ok()?;
        if parsed.weekday().is_some_and(|weekday| weekday != date.weekday()) {
            return None;
        }
        let has_time = parsed.hour_24().is_some() || parsed.hour_12().is_some() || parsed.minute().is_some();
        let clock = match has_time {
            true => Time::try_from(parsed).ok()?,
            false => Time::MIDNIGHT,
        };
        // A clock of 24 hours decides, but one of 12 hours beside it must agree.
        let hour_12 = parsed.hour_12().zip(parsed.hour_12_is_pm());
        if hour_12.is_some_and(|(hour, is_pm)| hour.get() % 12 + 12 * u8::from(is_pm) != clock.hour()) {
            return None;
        }
        match parsed.offset_hour() {
            Some(_) => Some(Read::Instant(OffsetDateTime::try_from(parsed).ok()?)),
            None => Some(Read::Civil(PrimitiveDateTime::new(date, clock))),
        }
    }

    /// The sequences of parts that a text may have: optional parts are there or not, and of alternatives there is one.
    pub(super) fn forms(&self) -> Vec<Vec<Part<'_>>> {
        let mut forms = forms_of(&self.format);
        forms.truncate(MAX_FORMS);
        let parts = |items: Vec<&OwnedFormatItem>| items.into_iter().map(|item| part(item.clone())).collect();
        forms.into_iter().map(parts).collect()
    }
}

/// The sequences of literals and components of an item.
fn forms_of(item: &OwnedFormatItem) -> Vec<Vec<&OwnedFormatItem>> {
    match item {
        OwnedFormatItem::Compound(items) => {
            let mut forms = vec![Vec::new()];
            for item in items {
                let ends = forms_of(item);
                let longer = ends.iter().flat_map(|end| {
                    let joined = |form: &Vec<_>| form.iter().chain(end).copied().collect::<Vec<_>>();
                    forms.iter().map(joined).collect::<Vec<_>>()
                });
                forms = longer.take(MAX_FORMS).collect();
            }
            forms
        }
        OwnedFormatItem::Optional(item) => {
            let mut forms = forms_of(item);
            forms.push(Vec::new());
            forms
        }
        OwnedFormatItem::First(items) => items.iter().flat_map(forms_of).collect(),
        _ => vec![vec![item]],
    }
}

/// A literal or a component that can write itself.
fn part(item: OwnedFormatItem) -> Part<'static> {
    match &item {
        OwnedFormatItem::StringLiteral(text) => Part::text(text.as_ref()),
        // Any text will do where it is ignored on purpose.
        OwnedFormatItem::Component(Component::Ignore(ignore)) => Part {
            name: String::new(),
            ..Part::text("x".repeat(usize::from(ignore.count.get())))
        },
        OwnedFormatItem::Component(component) => Part::new(name(component), move |moment| moment.format(&item).ok()),
        _ => Part::new("", move |moment| moment.format(&item).ok()),
    }
}

/// The name of a component as it is written in a description.
fn name(component: &Component) -> String {
    // The variants are called as the components, with their modifiers behind: WeekdayShort, CalendarYearLastTwo, OffsetHour.
    let variant = format!("{component:?}");
    let names = [
        ("MonthShort", "[month repr:short]"),
        ("MonthLong", "[month repr:long]"),
        ("Month", "[month]"),
        ("Weekday", "[weekday]"),
        ("WeekNumber", "[week_number]"),
        ("CalendarYear", "[year]"),
        ("IsoYear", "[year base:iso_week]"),
        ("Hour12", "[hour repr:12]"),
        ("Hour24", "[hour]"),
        ("Minute", "[minute]"),
        ("Second", "[second]"),
        ("Subsecond", "[subsecond]"),
        ("Period", "[period]"),
        ("OffsetHour", "[offset_hour]"),
        ("OffsetMinute", "[offset_minute]"),
        ("OffsetSecond", "[offset_second]"),
        ("UnixTimestamp", "[unix_timestamp]"),
        ("Ordinal", "[ordinal]"),
        ("Day", "[day]"),
    ];
    let known = names.iter().find(|(start, _)| variant.starts_with(start));
    known.map_or(variant.clone(), |(_, name)| (*name).to_owned())
}

/// Whether the text of a part ends with a digit.
fn ends_with_digit(name: &str) -> bool {
    let words = ["[weekday]", "[period]", "[month repr:short]", "[month repr:long]", ""];
    name.ends_with(']') && !words.contains(&name) || name.ends_with(|c: char| c.is_ascii_digit())
}
