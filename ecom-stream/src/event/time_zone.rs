use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;
use time::OffsetDateTime;

use super::time_format_error::TimeFormatError;

/// The time zone of times that are written without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeZone(jiff::tz::TimeZone);

impl TimeZone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(jiff::tz::TimeZone::UTC);

    /// The zone of that name: `UTC`, one of the IANA database such as `Europe/Berlin`, or an offset such as `+02:00`. The
    /// database is in the program; nothing of the system is asked.
    ///
    /// # Errors
    ///
    /// [`TimeFormatError::Zone`] when there is none of that name.
    pub fn named(name: &str) -> Result<Self, TimeFormatError> {
        let offset = || {
            let parsed = jiff::fmt::strtime::parse("%:z", name).ok()?;
            parsed.offset().map(jiff::tz::TimeZone::fixed)
        };
        if name == "UTC" {
            return Ok(Self::UTC);
        }
        let zone = offset().map_or_else(|| jiff::tz::TimeZone::get(name), Ok);
        zone.map(Self).map_err(|_| TimeFormatError::Zone(name.to_owned()))
    }

    /// Its name, or its offset.
    pub(super) fn as_given(&self) -> String {
        match self.0.iana_name() {
            Some(name) => name.to_owned(),
            None => self
                .0
                .to_fixed_offset()
                .map_or_else(|_| String::new(), |offset| offset.to_string()),
        }
    }

    /// The moment at which clocks there showed `civil`: of two, when they are set back, the first; `None` for one that they
    /// leapt over.
    pub(super) fn resolve_civil(&self, civil: DateTime) -> Option<OffsetDateTime> {
        let ambiguous = self.0.to_ambiguous_timestamp(civil);
        if matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
            return None;
        }
        to_offset_date_time(ambiguous.earlier().ok()?)
    }
}

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
    fn clocks_that_are_set() {
        let berlin = TimeZone::named("Europe/Berlin").unwrap();
        let at = |text: &str| berlin.resolve_civil(text.parse().unwrap());
        assert_eq!(at("2026-07-01T12:00:00"), Some(datetime!(2026-07-01 10:00 UTC)));
        // At 2 in March they leap to 3; what they show from 2 to 3 in October they show twice.
        assert_eq!(at("2026-03-29T02:30:00"), None);
        assert_eq!(at("2026-10-25T02:30:00"), Some(datetime!(2026-10-25 00:30 UTC)));
    }

    #[test]
    fn names() {
        let noon = "2026-11-01T12:00:00".parse().unwrap();
        let moment = |name: &str| TimeZone::named(name).unwrap().resolve_civil(noon);
        assert_eq!(moment("UTC"), Some(datetime!(2026-11-01 12:00 UTC)));
        assert_eq!(moment("+05:30"), Some(datetime!(2026-11-01 06:30 UTC)));
        assert_eq!(moment("-03:00"), Some(datetime!(2026-11-01 15:00 UTC)));
        assert_eq!(TimeZone::named("+05:30").unwrap().to_string(), "+05:30");
        assert_eq!(TimeZone::named("Europe/Berlin").unwrap().to_string(), "Europe/Berlin");
        for none in ["", "Mars", "+99", "CET-1x", "../UTC"] {
            assert!(TimeZone::named(none).is_err(), "{none}");
        }
    }
}
