//! Time zones for times that are written without one.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset};
use time::OffsetDateTime;

use super::error::TimeFormatError;

/// The time zone of times that are written without one.
///
/// ```
/// use ecom_stream::TimeZone;
///
/// assert_eq!(TimeZone::named("Europe/Berlin").unwrap().to_string(), "Europe/Berlin");
/// assert_eq!(TimeZone::named("+05:30").unwrap().to_string(), "+05:30");
/// assert!(TimeZone::named("Mars").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeZone(jiff::tz::TimeZone);

impl TimeZone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(jiff::tz::TimeZone::UTC);

    /// The zone with that name: `UTC`, a name of the IANA database such as `Europe/Berlin`, or an offset such as `+02:00`, `+0200`, `+02`
    /// or `UTC+2`. The database is compiled into the program; that of the system is not used.
    ///
    /// # Errors
    ///
    /// [`TimeFormatError::Zone`] when there is no zone with that name.
    pub fn named(name: &str) -> Result<Self, TimeFormatError> {
        if name == "UTC" {
            return Ok(Self::UTC);
        }
        let offset = offset(name).map(jiff::tz::TimeZone::fixed);
        let zone = offset.map_or_else(|| jiff::tz::TimeZone::get(name), Ok);
        zone.map(Self).map_err(|_| TimeFormatError::Zone(name.to_owned()))
    }

    /// The zone of a name in the input. Unlike [`named`](Self::named) it takes no abbreviations: `CET` and `EST` are names in the IANA
    /// database, but files mean other things by them.
    pub(crate) fn in_text(name: &str) -> Option<Self> {
        let is_abbreviation = name.len() <= 5 && name.chars().all(|c| c.is_ascii_uppercase());
        match name {
            "UTC" | "GMT" | "Z" => Some(Self::UTC),
            _ if is_abbreviation => None,
            _ => Self::named(name).ok(),
        }
    }

    /// The name of the zone, or its offset, for the [fingerprint](crate::Mapping::fingerprint) of a mapping.
    pub(super) fn as_given(&self) -> String {
        match self.0.iana_name() {
            Some(name) => name.to_owned(),
            None => self
                .0
                .to_fixed_offset()
                .map_or_else(|_| String::new(), |offset| offset.to_string()),
        }
    }

    /// The instant at which clocks in this zone show the local time `civil`.
    ///
    /// If clocks are set back and show it twice, it is the first time. If they are set forward and never show it, it is `None`.
    pub(super) fn resolve_civil(&self, civil: DateTime) -> Option<OffsetDateTime> {
        let ambiguous = self.0.to_ambiguous_timestamp(civil);
        if matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
            return None;
        }
        to_offset_date_time(ambiguous.earlier().ok()?)
    }
}

/// The offset that a text says: `+02:00`, `+0200`, `+02`, `+2`, also behind `UTC` or `GMT`.
fn offset(text: &str) -> Option<Offset> {
    let text = text
        .strip_prefix("UTC")
        .or_else(|| text.strip_prefix("GMT"))
        .unwrap_or(text);
    let (sign, digits) = match text.strip_prefix('+') {
        Some(digits) => (1, digits),
        None => (-1, text.strip_prefix(['-', '\u{2212}'])?),
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some(both), _) => both,
        (None, 4) => digits.split_at_checked(2)?,
        (None, _) => (digits, "00"),
    };
    let number = |digits: &str, most: i32| {
        let is_number = matches!(digits.len(), 1 | 2) && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse().ok().filter(|number| is_number && *number <= most)
    };
    let (hours, minutes): (i32, i32) = (number(hours, 15)?, number(minutes, 59)?);
    Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()
}

/// The same instant as a value of the `time` crate, in UTC.
pub(super) fn to_offset_date_time(timestamp: jiff::Timestamp) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(timestamp.as_nanosecond()).ok()
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.iana_name() {
            Some(name) => f.write_str(name),
            None => match self.0.to_fixed_offset() {
                Ok(offset) => write!(f, "{offset}"),
                Err(_) => f.write_str("UTC"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_local_time_is_resolved_where_clocks_change() {
        let berlin = TimeZone::named("Europe/Berlin").unwrap();
        let at = |text: &str| berlin.resolve_civil(text.parse().unwrap());
        assert_eq!(at("2026-07-01T12:00:00"), Some(datetime!(2026-07-01 10:00 UTC)));
        // In March clocks go from 2:00 to 3:00; in October the hour from 2:00 comes twice.
        assert_eq!(at("2026-03-29T02:30:00"), None);
        assert_eq!(at("2026-10-25T02:30:00"), Some(datetime!(2026-10-25 00:30 UTC)));
    }

    #[test]
    fn a_zone_is_found_by_name_or_offset() {
        let noon = "2026-11-01T12:00:00".parse().unwrap();
        let resolved = |name: &str| TimeZone::named(name).unwrap().resolve_civil(noon);
        assert_eq!(resolved("UTC"), Some(datetime!(2026-11-01 12:00 UTC)));
        assert_eq!(resolved("+05:30"), Some(datetime!(2026-11-01 06:30 UTC)));
        assert_eq!(resolved("-03:00"), Some(datetime!(2026-11-01 15:00 UTC)));
        for same in ["-03", "-0300", "-3", "UTC-3", "GMT-03:00", "UTC-0300", "\u{2212}03:00"] {
            assert_eq!(resolved(same), resolved("-03:00"), "{same}");
        }
        assert_eq!(TimeZone::named("+05:30").unwrap().to_string(), "+05:30");
        assert_eq!(TimeZone::named("Europe/Berlin").unwrap().to_string(), "Europe/Berlin");
        for none in ["", "Mars", "+99", "+1:2:3", "+12345", "+", "UTC+", "CET-1x", "../UTC"] {
            assert!(TimeZone::named(none).is_err(), "{none}");
        }
    }
}
