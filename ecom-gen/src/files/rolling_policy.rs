//! When a file ends and the next one begins.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use ecom_stream::{Error, ErrorKind, Result};
use time::OffsetDateTime;

use crate::micros::micros;
use crate::random::{Purpose, Seed, unit};

/// When a file ends and the next one begins: by the shop's own time and by the number of rows, never by how fast files
/// are written.
///
/// So the same shop gives the same files, byte for byte, whatever the pace and the number of workers.
#[derive(Debug, Clone, PartialEq)]
pub struct RollingPolicy {
    max_rows: u64,
    every: Option<RangeInclusive<Duration>>,
    every_from_micros: Option<i64>,
}

impl Default for RollingPolicy {
    /// Each file ends 1 to 3 seconds after its first row.
    fn default() -> Self {
        Self {
            max_rows: u64::MAX,
            every: Some(Duration::from_secs(1)..=Duration::from_secs(3)),
            every_from_micros: None,
        }
    }
}

impl RollingPolicy {
    /// Ends a file when it has this many rows, at least 1.
    #[must_use]
    pub fn max_rows(mut self, rows: u64) -> Self {
        self.max_rows = rows.max(1);
        self
    }

    /// Ends a file this long after its first row was delivered. The duration is drawn from the range for each file.
    /// With `None` a file ends only when it is full.
    #[must_use]
    pub fn every(mut self, range: impl Into<Option<RangeInclusive<Duration>>>) -> Self {
        self.every = range.into();
        self
    }

    /// Applies [`every`](Self::every) only to rows that are delivered from this time on. Rows before it are divided by
    /// [`max_rows`](Self::max_rows) alone, and a file ends at this time. This is for a history that is followed by a
    /// live shop.
    ///
    /// A run that resumes keeps the time of the first run, so the time may be that of the start of the program.
    #[must_use]
    pub fn every_from(mut self, time: impl Into<Option<OffsetDateTime>>) -> Self {
        self.every_from_micros = time.into().map(micros);
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        match self.every.as_ref().filter(|range| range.is_empty()) {
            None => Ok(()),
            Some(range) => {
                let message = format!(
                    "the range of `every` is empty: it begins at {:?} and ends at {:?}",
                    range.start(),
                    range.end()
                );
                Err(Error::new(ErrorKind::Configuration, message).hint("write the shorter duration first"))
            }
        }
    }

    /// The part of the policy that must be the same when a run resumes.
    pub(super) fn identity(&self) -> impl Debug {
        (self.max_rows, self.every.clone())
    }

    pub(super) fn every_from_micros(&self) -> Option<i64> {
        self.every_from_micros
    }

    pub(super) fn set_every_from_micros(&mut self, micros: Option<i64>) {
        self.every_from_micros = micros;
    }

    /// The largest number of rows in a file.
    pub(super) fn row_limit(&self) -> u64 {
        self.max_rows
    }

    /// When the file with this number ends, if its first row is delivered at `first`.
    pub(super) fn ends_at(&self, seed: Seed, file: u64, first: i64) -> i64 {
        let Some(every) = &self.every else { return i64::MAX };
        match self.every_from_micros.filter(|from| first < *from) {
            Some(from) => from,
            None => {
                let range = every.end().saturating_sub(*every.start());
                let drawn = range.mul_f64(unit(seed.of(Purpose::File, file)));
                let length = every.start().saturating_add(drawn).as_micros().max(1);
                first.saturating_add(i64::try_from(length).unwrap_or(i64::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn files_end_by_time() {
        let policy = RollingPolicy::default();
        let lengths: Vec<i64> = (1..1_000).map(|file| policy.ends_at(Seed(1), file, 5) - 5).collect();
        assert!(lengths.iter().all(|length| (1_000_000..=3_000_000).contains(length)));
        let mean = lengths.iter().sum::<i64>() / lengths.len() as i64;
        assert!((1_900_000..2_100_000).contains(&mean), "{mean}");
        assert_eq!(policy.every(None).ends_at(Seed(1), 1, 5), i64::MAX);

        let from = datetime!(2026-11-23 09:00 UTC);
        let second = Duration::from_secs(1);
        let policy = RollingPolicy::default().every(second..=second).every_from(from);
        assert_eq!(policy.ends_at(Seed(1), 1, micros(from) - 1), micros(from));
        assert_eq!(policy.ends_at(Seed(1), 1, micros(from)), micros(from) + 1_000_000);
        let reversed = RollingPolicy::default().every(Duration::from_secs(2)..=second);
        assert!(reversed.check().is_err());
    }
}
