//! Time formats: how times are written in the input.
//!
//! A format is checked when it is made: it must write a sample time and read it back as the same time. So a format that loses the day
//! or the half of the day is an error at the start, not a wrong time in every event.

use std::error::Error as StdError;

#[cfg(feature = "mapping")]
use jiff::fmt::strtime::BrokenDownTime;
use time::format_description::OwnedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, Time};

use super::time_format_error::TimeFormatError;
#[cfg(feature = "mapping")]
use super::time_zone::{TimeZone, to_offset_date_time};

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
    /// A whole number of seconds since 1970.
    UnixSeconds,
    /// A whole number of milliseconds since 1970.
    UnixMillis,
    /// A whole number of microseconds since 1970.
    UnixMicros,
    /// A description of the `time` crate; made by [`described`](Self::described).
    Described(TimeDescription),
    /// A pattern of `strptime`; made by [`strptime`](Self::strptime).
    #[cfg(feature = "mapping")]
    Strptime(TimePattern),
}

/// A time format with a description of the `time` crate; see [`TimeFormat::described`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeDescription {
    /// The description as it was given.
    description: String,
    /// The description, parsed.
    format: OwnedFormatItem,
    /// Whether the description has no hours, so a time is midnight.
    is_date: bool,
    /// Whether a text in this format determines its own zone or offset.
    has_zone: bool,
    /// The zone of times without one; UTC if it is `None`.
    #[cfg(feature = "mapping")]
    zone: Option<TimeZone>,
}

/// A time format with a pattern of `strptime`; see [`TimeFormat::strptime`].
#[cfg(feature = "mapping")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimePattern {
    /// The pattern as it was given.
    pattern: String,
    has_zone: bool,
    zone: Option<TimeZone>,
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
    /// time.
    pub fn described(description: &str) -> Result<Self, TimeFormatError> {
        let format: OwnedFormatItem =
            time::format_description::parse_owned::<2>(description).map_err(|cause| malformed(description, cause))?;
        let written = SAMPLE.format(&format).map_err(|cause| malformed(description, cause))?;
        let plain = description.replace(char::is_whitespace, "");
        let has = |parts: &[&str]| parts.iter().any(|part| plain.contains(part));
        let has_offset = has(&["[offset", "[unix"]);
        let has_hours = has(&["[hour", "[minute", "[second", "[subsecond", "[period"]);
        let described = Self::Described(TimeDescription {
            description: description.to_owned(),
            is_date: !has_offset && !has_hours,
            has_zone: names_utc(description) || has_offset,
            format,
            #[cfg(feature = "mapping")]
            zone: None,
        });
        described.check_round_trip(description, &written)
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
    /// [`TimeFormatError::Malformed`] when the pattern is not valid, [`TimeFormatError::Incomplete`] when it does not determine the time.
    ///
    /// [`jiff::fmt::strtime`]: https://docs.rs/jiff/1/jiff/fmt/strtime/
    #[cfg(feature = "mapping")]
    pub fn strptime(pattern: &str) -> Result<Self, TimeFormatError> {
        let written = jiff::civil::date(2001, 12, 31)
            .at(23, 59, 58, 0)
            .to_zoned_datetime(jiff::tz::TimeZone::UTC)
            .and_then(|sample| jiff::fmt::strtime::format(pattern, &sample))
            .map_err(|cause| malformed(pattern, cause))?;
        let read = BrokenDownTime::parse(pattern, &written).map_err(|cause| malformed(pattern, cause))?;
        let has_own_zone = read.offset().is_some() || read.timestamp().is_some() || read.iana_time_zone().is_some();
        let format = Self::Strptime(TimePattern {
            pattern: pattern.to_owned(),
            has_zone: names_utc(pattern) || has_own_zone,
            zone: None,
        });
        format.check_round_trip(pattern, &written)
    }

    /// The name, description or pattern of the format, and the name of its zone (empty if it has none), as they were given. The
    /// [fingerprint](crate::Mapping::fingerprint) of a mapping is made from them.
    pub(crate) fn as_given(&self) -> [String; 2] {
        let format = match self {
            Self::Rfc3339 => "rfc3339",
            Self::UnixSeconds => "epoch_s",
            Self::UnixMillis => "epoch_ms",
            Self::UnixMicros => "epoch_us",
            Self::Described(description) => &description.description,
            #[cfg(feature = "mapping")]
            Self::Strptime(pattern) => &pattern.pattern,
        };
        #[cfg(feature = "mapping")]
        let zone = self.zone().map(TimeZone::as_given).unwrap_or_default();
        #[cfg(not(feature = "mapping"))]
        let zone = String::new();
        [format.to_owned(), zone]
    }

    /// The zone of times that don't have one, if one was given.
    #[cfg(feature = "mapping")]
    fn zone(&self) -> Option<&TimeZone> {
        match self {
            Self::Described(description) => description.zone.as_ref(),
            Self::Strptime(pattern) => pattern.zone.as_ref(),
            _ => None,
        }
    }

    /// Returns the format if it reads `written`, which is [`SAMPLE`] in this format, as the sample again. It may lose the parts that it
    /// doesn't have: seconds, minutes or the whole time of day.
    fn check_round_trip(self, format: &str, written: &str) -> Result<Self, TimeFormatError> {
        let midnight = SAMPLE.replace_time(Time::MIDNIGHT);
        let shortened = [
            SAMPLE,
            midnight + Duration::hours(23) + Duration::minutes(59),
            midnight + Duration::hours(23),
            midnight,
        ];
        match self.parse(written) {
            Some(read) if shortened.contains(&read) => Ok(self),
            _ => Err(TimeFormatError::Incomplete(format.to_owned())),
        }
    }

    /// A format by its name, its pattern or its description:
    ///
    /// | text | format |
    /// |---|---|
    /// | `rfc3339` | [`Rfc3339`](Self::Rfc3339) |
    /// | `epoch_s`, `epoch_ms`, `epoch_us` | seconds, milliseconds or microseconds since 1970 |
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
        let zone = Some(zone);
        match self {
            Self::Described(description) if !description.has_zone => {
                Ok(Self::Described(TimeDescription { zone, ..description }))
            }
            Self::Strptime(pattern) if !pattern.has_zone => Ok(Self::Strptime(TimePattern { zone, ..pattern })),
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
            Self::Rfc3339 => OffsetDateTime::parse(text, &Rfc3339).ok(),
            Self::UnixSeconds => OffsetDateTime::from_unix_timestamp(text.parse().ok()?).ok(),
            Self::UnixMillis => since_1970(text, 1_000_000),
            Self::UnixMicros => since_1970(text, 1_000),
            Self::Described(TimeDescription { format, is_date, .. }) => {
                if let Ok(time) = OffsetDateTime::parse(text, format) {
                    return Some(time);
                }
                let civil = match is_date {
                    true => Date::parse(text, format).ok()?.midnight(),
                    false => PrimitiveDateTime::parse(text, format).ok()?,
                };
                #[cfg(feature = "mapping")]
                if let Some(zone) = self.zone() {
                    return zone.resolve_civil(to_jiff(civil)?);
                }
                Some(civil.assume_utc())
            }
            #[cfg(feature = "mapping")]
            Self::Strptime(TimePattern { pattern, zone, .. }) => {
                let read = BrokenDownTime::parse(pattern, text).ok()?;
                if read.offset().is_some() || read.timestamp().is_some() {
                    return to_offset_date_time(read.to_timestamp().ok()?);
                }
                let civil = read.to_datetime().ok()?;
                match read.iana_time_zone() {
                    Some(name) => TimeZone::named(name).ok()?.resolve_civil(civil),
                    None => zone.as_ref().unwrap_or(&TimeZone::UTC).resolve_civil(civil),
                }
            }
        }
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
            _ => false,
        }
    }
}

/// The time that every format must be able to write and to read back. Its day, month and hour can't be taken for each other.
const SAMPLE: OffsetDateTime = datetime!(2001-12-31 23:59:58 UTC);

/// Whether the format has `UTC` or a final `Z` as literal text.
fn names_utc(format: &str) -> bool {
    format.contains("UTC") || format.ends_with('Z')
}

/// The error for a format that its crate doesn't accept.
fn malformed(format: &str, cause: impl StdError + Send + Sync + 'static) -> TimeFormatError {
    TimeFormatError::Malformed {
        format: format.to_owned(),
        cause: Box::new(cause),
    }
}

/// The time that is `text` units after 1970; a unit has `nanos` nanoseconds.
fn since_1970(text: &str, nanos: i128) -> Option<OffsetDateTime> {
    let nanos = i128::from(text.parse::<i64>().ok()?) * nanos;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()
}

/// The same date and time of day as a value of `jiff`.
#[cfg(feature = "mapping")]
fn to_jiff(civil: PrimitiveDateTime) -> Option<jiff::civil::DateTime> {
    let since = civil.assume_utc().unix_timestamp_nanos();
    let timestamp = jiff::Timestamp::from_nanosecond(since).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(timestamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_format_reads_its_times() {
        let noon = datetime!(2026-11-01 12:00 UTC);
        for (format, text) in [
            ("rfc3339", "2026-11-01T13:00:00+01:00"),
            ("epoch_s", "1793534400"),
            ("epoch_ms", "1793534400000"),
            ("epoch_us", "1793534400000000"),
            (
                "[year]-[month]-[day] [hour]:[minute]:[second] UTC",
                "2026-11-01 12:00:00 UTC",
            ),
            ("%Y-%m-%d %H:%M:%S UTC", "2026-11-01 12:00:00 UTC"),
            ("%d-%m-%Y %H:%M", "01-11-2026 12:00"),
            ("%m/%d/%y %I:%M %p", "11/01/26 12:00 pm"),
            ("%Y-%m-%d %H:%M:%S%.f%:z", "2026-11-01 13:00:00.0+01:00"),
            ("%s", "1793534400"),
        ] {
            assert_eq!(TimeFormat::named(format).unwrap().parse(text), Some(noon), "{format}");
        }
        let midnight = TimeFormat::named("%Y%m%d").unwrap().parse("20261101");
        assert_eq!(midnight, Some(datetime!(2026-11-01 00:00 UTC)));
        for text in [
            "",
            "now",
            "infinity",
            "2026-11-01",
            "2026-13-01T00:00:00Z",
            "2026-11-01 12:00:00",
        ] {
            assert_eq!(TimeFormat::Rfc3339.parse(text), None, "{text}");
        }
        for text in ["", "NaN", "1e9", "99999999999999999999", "9223372036854775807"] {
            assert_eq!(TimeFormat::UnixSeconds.parse(text), None, "{text}");
        }
        for text in ["", "2026-11-01 12:00", "2026-02-30 12:00:00", "2026-11-01 12:00:00 "] {
            assert_eq!(
                TimeFormat::strptime("%Y-%m-%d %H:%M:%S").unwrap().parse(text),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn a_format_that_does_not_determine_the_time_is_an_error() {
        for format in [
            "[nonsense]",
            "%Y-%m",
            "%H:%M",
            "%!",
            "%d-%m-%Y %Z",
            "iso",
            "",
            // 12-hour clocks without am and pm: afternoons would be read as mornings.
            "%d/%m/%Y %I:%M",
            "[year]-[month]-[day] [hour repr:12]:[minute]",
            // Formats that do not determine the day.
            "[hour]:[minute]",
            "[year repr:last_two]-[month]-[day]",
            "[year]-[month]-[day] [offset_hour]",
        ] {
            assert!(TimeFormat::named(format).is_err(), "{format}");
        }
        assert!(TimeFormat::Rfc3339.in_zone(TimeZone::UTC).is_err());
        for format in ["%Y-%m-%d %H:%M UTC", "%Y-%m-%d %H:%M%z", "%Y-%m-%d %H:%M %Q"] {
            assert!(
                TimeFormat::named(format).unwrap().in_zone(TimeZone::UTC).is_err(),
                "{format}"
            );
        }
    }

    #[test]
    fn a_zone_in_the_text_itself_is_used() {
        let format = TimeFormat::named("%Y-%m-%d %H:%M %Q").unwrap();
        for (text, time) in [
            ("2026-07-01 12:00 Europe/Berlin", Some(datetime!(2026-07-01 10:00 UTC))),
            ("2026-07-01 12:00 +0200", Some(datetime!(2026-07-01 10:00 UTC))),
            ("2026-03-29 02:30 Europe/Berlin", None),
            ("2026-07-01 12:00 Mars/Base", None),
        ] {
            assert_eq!(format.parse(text), time, "{text}");
        }
    }

    #[test]
    fn a_date_is_midnight_in_its_zone() {
        for format in ["[day].[month].[year]", "%d.%m.%Y"] {
            let format = TimeFormat::named(format).unwrap();
            assert_eq!(format.parse("01.07.2026"), Some(datetime!(2026-07-01 0:00 UTC)));
            assert_eq!(format.parse("01.07.2026 12:00"), None);
            let there = format.in_zone(TimeZone::named("Europe/Berlin").unwrap()).unwrap();
            assert_eq!(there.parse("01.07.2026"), Some(datetime!(2026-06-30 22:00 UTC)));
        }
    }

    #[test]
    fn utc_is_assumed_only_where_nothing_gives_a_zone() {
        let assumed = |format: &str| TimeFormat::named(format).unwrap().assumes_utc();
        for format in ["%Y-%m-%d %H:%M", "[year]-[month]-[day] [hour]:[minute]"] {
            assert!(assumed(format), "{format}");
            let here = TimeFormat::named(format).unwrap().in_zone(TimeZone::UTC).unwrap();
            assert!(!here.assumes_utc(), "{format}");
        }
        for format in [
            "rfc3339",
            "epoch_s",
            "%s",
            "%Y-%m-%d %H:%M UTC",
            "%Y-%m-%d %H:%M%:z",
            "[year]-[month]-[day] [hour]:[minute]Z",
            "[year]-[month]-[day] [hour]:[minute] [offset_hour]:[offset_minute]",
        ] {
            assert!(!assumed(format), "{format}");
        }
    }

    #[test]
    fn times_without_a_zone_are_in_the_zone_of_the_format() {
        let berlin = TimeZone::named("Europe/Berlin").unwrap();
        for format in ["%Y-%m-%d %H:%M", "[year]-[month]-[day] [hour]:[minute]"] {
            let format = TimeFormat::named(format).unwrap();
            let here = format.clone().in_zone(berlin.clone()).unwrap();
            assert_eq!(format.parse("2026-07-01 12:00"), Some(datetime!(2026-07-01 12:00 UTC)));
            assert_eq!(here.parse("2026-07-01 12:00"), Some(datetime!(2026-07-01 10:00 UTC)));
            assert_eq!(here.parse("2026-03-29 02:30"), None);
        }
    }
}
