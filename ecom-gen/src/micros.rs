//! Times as microseconds since the Unix epoch.

use time::OffsetDateTime;

pub(crate) const HOUR_MICROS: i64 = 3_600_000_000;
pub(crate) const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// A time as microseconds since the Unix epoch.
pub(crate) fn micros(time: OffsetDateTime) -> i64 {
    (time.unix_timestamp_nanos() / 1_000) as i64
}
