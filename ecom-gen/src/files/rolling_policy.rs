use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use ecom_stream::{Error, ErrorKind, Result};
use time::OffsetDateTime;

use crate::micros::micros;
use crate::random::{Purpose, Seed, unit};

/// How a shop's rows are cut into files: by the shop's own time and by rows, never by how fast they are written.
///
/// So the same shop gives the same files, to the byte, whatever the pace and the number of workers.
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
    /// Ends a file when it has that many rows; at least 1.
    #[must_use]
    pub fn max_rows(mut self, rows: u64) -> Self {
        self.max_rows = rows.max(1);
        self
    }

    /// Ends a file so long after its first row left the shop, drawn anew for each file from the range; with `None` only
    /// when it is full.
    #[must_use]
    pub fn every(mut self, range: impl Into<Option<RangeInclusive<Duration>>>) -> Self {
        self.every = range.into();
        self
    }

    /// What left the shop before that time is cut by [`max_rows`](Self::max_rows) alone, and no file goes on beyond it:
    /// for a history that is followed by a live shop. A run that goes on keeps to the time that the first run was given, so
    /// that this may be the time at which a run starts.
    #[must_use]
    pub fn every_from(mut self, time: impl Into<Option<OffsetDateTime>>) -> Self {
        self.every_from_micros = time.into().map(micros);
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        match self.every.as_ref().filter(|range| range.is_empty()) {
            None => Ok(()),
            Some(range) => {
                let message = format!("no time lies between {:?} and {:?}", range.start(), range.end());
                Err(Error::new(ErrorKind::Configuration, message).hint("the shorter time goes first"))
            }
        }
    }

    /// All of it that must be the same when a run goes on.
    pub(super) fn identity(&self) -> impl Debug {
        (self.max_rows, self.every.clone())
    }

    pub(super) fn every_from_micros(&self) -> Option<i64> {
        self.every_from_micros
    }

    pub(super) fn set_every_from_micros(&mut self, micros: Option<i64>) {
        self.every_from_micros = micros;
    }

    /// How many rows a file has at most.
    pub(super) fn row_limit(&self) -> u64 {
        self.max_rows
    }

    /// When the file of that number ends whose first row is delivered at `first`.
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
    fn when_files_end() {
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
        let upside_down = RollingPolicy::default().every(Duration::from_secs(2)..=second);
        assert!(upside_down.check().is_err());
    }
}
