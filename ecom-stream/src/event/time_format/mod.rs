//! Time formats: how times are written in the input.
//!
//! ```text
//!  name, pattern or description ─► builder ─► trial ─► TimeFormat ─► parse
//!  zone, tables of names ────────────┘
//! ```
//!
//! | form | file |
//! |---|---|
//! | a number of seconds and so on since 1970 | `epoch` |
//! | the day number of a spreadsheet | `excel` |
//! | `%d.%m.%Y %H:%M` | `pattern`, with its `directives` and tables of `names` |
//! | `[day].[month].[year] [hour]:[minute]` | `description` |
//! | one of several | `alternatives` |
//!
//! A format is checked when it is made: the `trial` writes moments in it, and they must be read back. So a format that loses the day,
//! the half of the day or a fraction is an error at the start, not a wrong time in every event. `zone_text` finds zones that are only
//! literal text.

mod alternatives;
#[cfg(feature = "mapping")]
mod blanks;
#[cfg(feature = "mapping")]
mod builder;
mod description;
#[cfg(feature = "mapping")]
mod directives;
mod epoch;
mod error;
mod excel;
#[cfg(feature = "mapping")]
mod names;
#[cfg(feature = "mapping")]
mod pattern;
mod trial;
#[cfg(feature = "mapping")]
mod zone;
mod zone_text;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, PrimitiveDateTime};

pub use alternatives::TimeAlternatives;
#[cfg(feature = "mapping")]
pub use builder::TimeFormatBuilder;
use description::Read;
pub use description::TimeDescription;
pub use error::TimeFormatError;
pub use excel::ExcelDays;
#[cfg(feature = "mapping")]
pub use pattern::TimePattern;
use trial::Part;
#[cfg(feature = "mapping")]
pub use zone::TimeZone;

/// How times are written in the input.
///
/// ```
/// use ecom_stream::{TimeFormat, TimeZone};
/// use time::macros::datetime;
///
/// let format = TimeFormat::named("%d.%m.%Y %H:%M").unwrap();
/// assert_eq!(format.parse("01.07.2026 12:00"), Some(datetime!(2026-07-01 12:00 UTC)));
///
/// let berlin = format.in_zone(TimeZone::named("Europe/Berlin").unwrap()).unwrap();
/// assert_eq!(berlin.parse("01.07.2026 12:00"), Some(datetime!(2026-07-01 10:00 UTC)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TimeFormat {
    /// RFC 3339 with any offset, such as `2026-11-01T09:30:00.25Z` or `2026-11-01T10:30:00+01:00`.
    #[default]
    Rfc3339,
    /// A number of seconds since 1970, such as `1793525400` or `1793525400.25`.
    UnixSeconds,
    /// A number of milliseconds since 1970.
    UnixMillis,
    /// A number of microseconds since 1970.
    UnixMicros,
    /// A number of nanoseconds since 1970.
    UnixNanos,
    /// A number of days, as spreadsheets store times.
    Excel(ExcelDays),
    /// A description of the `time` crate; made by [`described`](Self::described).
    Described(TimeDescription),
    /// A pattern of `strptime`; made by [`strptime`](Self::strptime).
    #[cfg(feature = "mapping")]
    Strptime(TimePattern),
    /// One of several formats; made by [`TimeFormat::any_of`].
    AnyOf(TimeAlternatives),
}

impl TimeFormat {
    /// A format described as in the `time` crate: `[year]-[month]-[day] [hour]:[minute]:[second] UTC`.
    ///
    /// A time without an offset is in UTC, or in the [zone](Self::in_zone) of the format. A time without hours is midnight.
    ///
    /// ```
    /// use ecom_stream::TimeFormat;
    /// use time::macros::datetime;
    ///
    /// let format = TimeFormat::described("[day]/[month]/[year] [hour]:[minute]").unwrap();
    /// assert_eq!(format.parse("01/11/2026 09:30"), Some(datetime!(2026-11-01 9:30 UTC)));
    /// assert_eq!(format.parse("2026-11-01 09:30"), None);
    /// ```
    ///
    /// # Errors
    ///
    /// [`TimeFormatError::Malformed`] when the description is not valid, [`TimeFormatError::Incomplete`] when it does not determine the
    /// time, [`TimeFormatError::Ignored`] when a part of it makes no difference, [`TimeFormatError::ZoneAsText`] when literal text names
    /// a zone.
    pub fn described(description: &str) -> Result<Self, TimeFormatError> {
        let (described, zone_text) = TimeDescription::new(description)?;
        match zone_text {
            None => Ok(Self::Described(described)),
            Some(text) => Err(error::zone_as_text(description, text)),
        }
    }

    /// A format with a pattern as `strptime` of the C library takes it: `%Y-%m-%d %H:%M:%S UTC`, `%d/%m/%y %I:%M %p`,
    /// `%Y-%m-%dT%H:%M:%S%.f%:z`; [`jiff::fmt::strtime`] lists the specifiers.
    ///
    /// A time without an offset is in UTC, or in the [zone](Self::in_zone) of the format. A time without hours is midnight.
    ///
    /// ```
    /// use ecom_stream::TimeFormat;
    /// use time::macros::datetime;
    ///
    /// let format = TimeFormat::strptime("%m/%d/%y %I:%M %p").unwrap();
    /// assert_eq!(format.parse("11/01/26 12:30 pm"), Some(datetime!(2026-11-01 12:30 UTC)));
    /// assert!(TimeFormat::strptime("%m/%d/%y %I:%M").is_err(), "mornings and afternoons would be the same");
    /// ```
    ///
    /// # Errors
    ///
    /// [`TimeFormatError::Malformed`] when the pattern is not valid, [`TimeFormatError::Incomplete`] when it does not determine the time,
    /// [`TimeFormatError::Ignored`] when a part of it makes no difference, [`TimeFormatError::ZoneAsText`] when literal text names a zone.
    ///
    /// [`jiff::fmt::strtime`]: https://docs.rs/jiff/1/jiff/fmt/strtime/
    #[cfg(feature = "mapping")]
    pub fn strptime(pattern: &str) -> Result<Self, TimeFormatError> {
        let (pattern, zone_text) = TimePattern::new(pattern, None)?;
        match zone_text {
            None => Ok(Self::Strptime(pattern)),
            Some(text) => Err(error::zone_as_text(&pattern.pattern, text)),
        }
    }

    /// A builder of a format with a zone, several forms, or names that are not English.
    #[cfg(feature = "mapping")]
    pub fn builder() -> TimeFormatBuilder {
        TimeFormatBuilder::default()
    }

    /// The first of several formats that a text is in, for files in which times are written in several ways.
    ///
    /// ```
    /// use ecom_stream::TimeFormat;
    /// use time::macros::datetime;
    ///
    /// let format = |text| TimeFormat::named(text).unwrap();
    /// let both = TimeFormat::any_of([format("%Y-%m-%d %H:%M"), format("%d.%m.%Y %H:%M")]).unwrap();
    /// assert_eq!(both.parse("2026-11-01 09:30"), Some(datetime!(2026-11-01 9:30 UTC)));
    /// assert_eq!(both.parse("01.11.2026 09:30"), Some(datetime!(2026-11-01 9:30 UTC)));
    ///
    /// let swapped = TimeFormat::any_of([format("%d/%m/%Y"), format("%m/%d/%Y")]);
    /// assert!(swapped.is_err(), "03/05/2026 would be in both");
    /// ```
    ///
    /// # Errors
    ///
    /// [`TimeFormatError::Contradiction`] when a text of one format is another time in a format before it, and
    /// [`TimeFormatError::Unknown`] when there are no formats.
    pub fn any_of(formats: impl IntoIterator<Item = TimeFormat>) -> Result<Self, TimeFormatError> {
        TimeAlternatives::new(formats.into_iter().collect()).map(Self::AnyOf)
    }

    /// The name, description or pattern of the format, the name of its zone (empty if it has none), and its tables of names if it has
    /// any, as they were given. The [fingerprint](crate::Mapping::fingerprint) of a mapping is made from them.
    pub(crate) fn as_given(&self) -> Vec<String> {
        let format = match self {
            Self::Rfc3339 => "rfc3339",
            Self::UnixSeconds => "epoch_s",
            Self::UnixMillis => "epoch_ms",
            Self::UnixMicros => "epoch_us",
            Self::UnixNanos => "epoch_ns",
            Self::Excel(days) => days.name(),
            Self::Described(description) => &description.description,
            #[cfg(feature = "mapping")]
            Self::Strptime(pattern) => &pattern.pattern,
            Self::AnyOf(formats) => return formats.as_given(),
        };
        #[cfg(feature = "mapping")]
        let (zone, names) = {
            let names = match self {
                Self::Strptime(TimePattern { named: Some(named), .. }) => Some(named.names.as_given()),
                _ => None,
            };
            (self.zone().map(TimeZone::as_given).unwrap_or_default(), names)
        };
        #[cfg(not(feature = "mapping"))]
        let (zone, names) = (String::new(), None);
        [format.to_owned(), zone].into_iter().chain(names).collect()
    }

    /// The zone of times that don't have one, if one was given.
    #[cfg(feature = "mapping")]
    fn zone(&self) -> Option<&TimeZone> {
        match self {
            Self::Described(description) => description.zone.as_ref(),
            Self::Strptime(pattern) => pattern.zone.as_ref(),
            Self::Excel(days) => days.zone.as_ref(),
            _ => None,
        }
    }

    /// The texts that times in this format may have, part by part.
    fn forms(&self) -> Vec<Vec<Part<'_>>> {
        let whole = |write: fn(OffsetDateTime) -> Option<String>| vec![vec![Part::new("", write)]];
        match self {
            Self::Rfc3339 => whole(|moment| moment.format(&Rfc3339).ok()),
            Self::UnixSeconds => whole(|moment| Some(epoch::to_text(moment, SECOND))),
            Self::UnixMillis => whole(|moment| Some(epoch::to_text(moment, MILLI))),
            Self::UnixMicros => whole(|moment| Some(epoch::to_text(moment, MICRO))),
            Self::UnixNanos => whole(|moment| Some(epoch::to_text(moment, 1))),
            Self::Excel(days) => vec![vec![Part::new("", |moment| Some(days.to_text(moment)))]],
            Self::Described(description) => description.forms(),
            #[cfg(feature = "mapping")]
            Self::Strptime(pattern) => pattern.forms(),
            Self::AnyOf(formats) => formats.forms(),
        }
    }

    /// A format by its name, its pattern or its description:
    ///
    /// | text | format |
    /// |---|---|
    /// | `rfc3339` | [`Rfc3339`](Self::Rfc3339) |
    /// | `epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns` | seconds, milliseconds, microseconds or nanoseconds since 1970 |
    /// | `excel`, `excel_1904` | the [day number of a spreadsheet](ExcelDays) |
    /// | a text with `%` | [`strptime`](Self::strptime) |
    /// | a text with `[` | [`described`](Self::described) |
    ///
    /// ```
    /// use ecom_stream::TimeFormat;
    ///
    /// assert_eq!(TimeFormat::named("epoch_ms").unwrap(), TimeFormat::UnixMillis);
    /// assert_eq!(TimeFormat::named("%Y-%m-%d").unwrap(), TimeFormat::strptime("%Y-%m-%d").unwrap());
    /// ```
    ///
    /// # Errors
    ///
    /// [`TimeFormatError::Unknown`] for any other text, and the errors of the two functions.
    pub fn named(text: &str) -> Result<Self, TimeFormatError> {
        match text {
            "rfc3339" => Ok(Self::Rfc3339),
            "epoch_s" => Ok(Self::UnixSeconds),
            "epoch_ms" => Ok(Self::UnixMillis),
            "epoch_us" => Ok(Self::UnixMicros),
            "epoch_ns" => Ok(Self::UnixNanos),
            "excel" | "excel_1904" => Ok(Self::Excel(ExcelDays::new(text == "excel_1904"))),
            #[cfg(feature = "mapping")]
            pattern if pattern.contains('%') => Self::strptime(pattern),
            #[cfg(not(feature = "mapping"))]
            pattern if pattern.contains('%') => Err(TimeFormatError::Malformed {
                format: pattern.to_owned(),
                cause: "patterns of strptime need the feature `mapping` of ecom-stream".into(),
            }),
            description if description.contains('[') => Self::described(description),
            other => Err(TimeFormatError::Unknown(other.to_owned())),
        }
    }

    /// The same format, for times that are in `zone` and don't say so.
    ///
    /// When clocks are set back, a local time comes twice: the first one is taken. When they are set forward, the local times in
    /// between don't exist: they can't be parsed.
    ///
    /// ```
    /// use ecom_stream::{TimeFormat, TimeZone};
    /// use time::macros::datetime;
    ///
    /// let berlin = TimeZone::named("Europe/Berlin").unwrap();
    /// let format = TimeFormat::strptime("%Y-%m-%d %H:%M").unwrap().in_zone(berlin).unwrap();
    /// assert_eq!(format.parse("2026-10-25 02:30"), Some(datetime!(2026-10-25 00:30 UTC)), "the first of two");
    /// assert_eq!(format.parse("2026-03-29 02:30"), None, "clocks go from 2:00 to 3:00");
    /// ```
    ///
    /// # Errors
    ///
    /// [`TimeFormatError::NeedsNoZone`] for formats that determine the zone or the offset themselves.
    #[cfg(feature = "mapping")]
    pub fn in_zone(self, zone: TimeZone) -> Result<Self, TimeFormatError> {
        match self {
            Self::Described(mut description) if !description.has_zone => {
                description.zone = Some(zone);
                Ok(Self::Described(description))
            }
            Self::Strptime(mut pattern) if !pattern.has_zone => {
                pattern.zone = Some(zone);
                Ok(Self::Strptime(pattern))
            }
            Self::Excel(mut days) => {
                days.zone = Some(zone);
                Ok(Self::Excel(days))
            }
            Self::AnyOf(formats) => Ok(Self::AnyOf(formats.in_zone(zone)?)),
            _ => Err(TimeFormatError::NeedsNoZone),
        }
    }

    /// The time that `text` stands for; `None` if it is not in this format or does not exist, such as the 30th of February.
    ///
    /// ```
    /// use ecom_stream::TimeFormat;
    /// use time::macros::datetime;
    ///
    /// let noon = datetime!(2026-11-01 12:00 UTC);
    /// assert_eq!(TimeFormat::Rfc3339.parse("2026-11-01T13:00:00+01:00"), Some(noon));
    /// assert_eq!(TimeFormat::UnixMillis.parse("1793534400000"), Some(noon));
    /// assert_eq!(TimeFormat::Rfc3339.parse("2026-02-30T12:00:00Z"), None);
    /// ```
    pub fn parse(&self, text: &str) -> Option<OffsetDateTime> {
        match self {
            Self::Rfc3339 => {
                let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
                // A leap second is read as the last nanosecond before it.
                (time.nanosecond() != 999_999_999 || !text.contains(":60")).then_some(time)
            }
            Self::UnixSeconds => epoch::since_1970(text, SECOND),
            Self::UnixMillis => epoch::since_1970(text, MILLI),
            Self::UnixMicros => epoch::since_1970(text, MICRO),
            Self::UnixNanos => epoch::since_1970(text, 1),
            Self::Excel(days) => self.in_own_zone(days.civil(text)?),
            Self::Described(description) => match description.read(text)? {
                Read::Instant(time) => Some(time),
                Read::Civil(civil) => self.in_own_zone(civil),
            },
            #[cfg(feature = "mapping")]
            Self::Strptime(pattern) => pattern.read(text),
            Self::AnyOf(formats) => formats.parse(text),
        }
    }

    /// The instant of a local time, in the zone of the format or in UTC.
    fn in_own_zone(&self, civil: PrimitiveDateTime) -> Option<OffsetDateTime> {
        #[cfg(feature = "mapping")]
        if let Some(zone) = self.zone() {
            return zone.resolve_civil(to_jiff(civil)?);
        }
        Some(civil.assume_utc())
    }

    /// Whether times in this format are read as UTC only because neither the format nor the user gives a zone.
    pub(crate) fn assumes_utc(&self) -> bool {
        #[cfg(feature = "mapping")]
        if self.zone().is_some() {
            return false;
        }
        match self {
            Self::Described(description) => !description.has_zone,
            #[cfg(feature = "mapping")]
            Self::Strptime(pattern) => !pattern.has_zone,
            Self::Excel(_) => true,
            Self::AnyOf(formats) => formats.assumes_utc(),
            _ => false,
        }
    }
}

/// Nanoseconds of the units since 1970.
const SECOND: i128 = 1_000_000_000;
const MILLI: i128 = 1_000_000;
const MICRO: i128 = 1_000;

/// The same date and time of day as a value of `jiff`.
#[cfg(feature = "mapping")]
fn to_jiff(civil: PrimitiveDateTime) -> Option<jiff::civil::DateTime> {
    let since = civil.assume_utc().unix_timestamp_nanos();
    let timestamp = jiff::Timestamp::from_nanosecond(since).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(timestamp))
}

#[cfg(test)]
#[cfg(feature = "mapping")]
mod tests;
