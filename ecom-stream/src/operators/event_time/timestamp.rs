//! [`Timestamp`]: a point in event time.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, PrimitiveDateTime};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A point in event time, in whole microseconds since 1970-01-01 00:00 UTC.
///
/// It has half the size of an [`OffsetDateTime`] and is quick to compare, since every record has one after
/// [`event_time`](crate::SourceExt::event_time). Additions and subtractions saturate at [`MIN`](Self::MIN) and
/// [`MAX`](Self::MAX). It displays as RFC 3339 in UTC.
///
/// ```
/// use std::time::Duration;
/// use ecom_stream::Timestamp;
/// use ecom_stream::time::macros::datetime;
///
/// let noon = Timestamp::from(datetime!(2026-11-01 12:00 UTC));
/// assert_eq!((noon + Duration::from_secs(90)).to_datetime(), datetime!(2026-11-01 12:01:30 UTC));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Before all events. It is the watermark before the first record.
    pub const MIN: Self = Self(i64::MIN);
    /// After all events. It is the watermark once the last run has ended.
    pub const MAX: Self = Self(i64::MAX);

    /// The time `micros` microseconds after 1970-01-01 00:00 UTC, or before it if negative.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The microseconds since 1970-01-01 00:00 UTC.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Converts it to a time in UTC. A timestamp outside the range of [`OffsetDateTime`] gives the first or the last time of
    /// that range.
    pub fn to_datetime(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000).unwrap_or_else(|_| {
            let end = if self.0 < 0 {
                PrimitiveDateTime::MIN
            } else {
                PrimitiveDateTime::MAX
            };
            end.assume_utc()
        })
    }
}

/// Converts to whole microseconds, rounded down.
impl From<OffsetDateTime> for Timestamp {
    fn from(time: OffsetDateTime) -> Self {
        let seconds = time.unix_timestamp().saturating_mul(MICROS_PER_SECOND);
        Self(seconds.saturating_add(i64::from(time.microsecond())))
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(time: Timestamp) -> Self {
        time.to_datetime()
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MIN => f.write_str("the beginning"),
            Self::MAX => f.write_str("the end"),
            _ => {
                let time = self.to_datetime();
                match time.format(&Rfc3339) {
                    Ok(text) => f.write_str(&text),
                    // Years before 0.
                    Err(_) => write!(f, "{time}"),
                }
            }
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The whole microseconds of a duration; `i64::MAX`, some 292,000 years, if there are more.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_timestamp_displays_as_rfc_3339() {
        let time = Timestamp::from(datetime!(2026-11-01 09:00:00.25 +1));
        assert_eq!(time.to_string(), "2026-11-01T08:00:00.25Z");
        let time = Timestamp::from(datetime!(-0001-11-01 09:00 UTC));
        assert_eq!(time.to_string(), "-0001-11-01 9:00:00.0 +00:00:00");
        assert_eq!(Timestamp::MAX.to_string(), "the end");
    }

    #[test]
    fn arithmetic_saturates() {
        let year = Duration::from_secs(365 * 86_400);
        assert_eq!(Timestamp::MAX + year, Timestamp::MAX);
        assert_eq!(Timestamp::MIN - year, Timestamp::MIN);
        assert_eq!(Timestamp::MAX.to_datetime().year(), 9_999);
        assert_eq!(Timestamp::MIN.to_datetime().year(), -9_999);
    }

    proptest! {
        #[test]
        fn times_round_trip_in_microseconds(nanos in -377_705_116_800_000_000_000_i128..=253_402_300_799_999_999_999) {
            let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap();
            let micros = Timestamp::from(time);
            prop_assert_eq!(i128::from(micros.as_micros()), nanos.div_euclid(1_000));
            prop_assert_eq!(Timestamp::from(micros.to_datetime()), micros);
        }
    }
}
