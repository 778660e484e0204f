//! Times: how old the data of a batch or an epoch are.

use std::time::Duration;

use time::OffsetDateTime;

/// How old the data of a batch or an epoch are. These times are only reported, as the [`Lag`](crate::Lag): nothing is decided by
/// them.
///
/// The source sets when its input was written, the transform that makes events sets when they happened, and the queue in front of
/// the sink measures how long a batch waited. A sink merges the times of the batches of an epoch.
///
/// ```
/// use ecom_stream::Times;
/// use time::macros::datetime;
///
/// let mut times = Times::default();
/// times.saw_event(datetime!(2026-11-01 12:00 UTC));
/// times.saw_event(datetime!(2026-11-01 09:00 UTC));
/// assert_eq!(times.oldest_event, Some(datetime!(2026-11-01 09:00 UTC)));
/// assert_eq!(times.newest_event, Some(datetime!(2026-11-01 12:00 UTC)));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Times {
    /// When the oldest of the events happened.
    pub oldest_event: Option<OffsetDateTime>,
    /// When the newest of the events happened.
    pub newest_event: Option<OffsetDateTime>,
    /// When the oldest of the input was written; for a file its modification time.
    pub oldest_input: Option<OffsetDateTime>,
    /// The longest time that a batch waited in the queue in front of the sink.
    pub longest_queued: Duration,
}

impl Times {
    /// Includes an event that happened at `time`.
    pub fn saw_event(&mut self, time: OffsetDateTime) {
        if self.oldest_event.is_none_or(|oldest| time < oldest) {
            self.oldest_event = Some(time);
        }
        if self.newest_event.is_none_or(|newest| time > newest) {
            self.newest_event = Some(time);
        }
    }

    /// Includes input that was written at `time`.
    pub fn saw_input(&mut self, time: OffsetDateTime) {
        if self.oldest_input.is_none_or(|oldest| time < oldest) {
            self.oldest_input = Some(time);
        }
    }

    /// Includes the times of another batch.
    pub fn merge(&mut self, other: &Self) {
        for event in [other.oldest_event, other.newest_event].into_iter().flatten() {
            self.saw_event(event);
        }
        if let Some(input) = other.oldest_input {
            self.saw_input(input);
        }
        self.longest_queued = self.longest_queued.max(other.longest_queued);
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn merged_times_cover_both_batches() {
        let (first, second, third) = (
            datetime!(2026-11-01 12:00 UTC),
            datetime!(2026-11-01 14:00 +1),
            datetime!(2026-11-01 14:00 UTC),
        );
        let mut one = Times::default();
        one.saw_event(second);
        one.saw_input(third);
        let mut other = Times::default();
        other.saw_event(third);
        other.saw_event(first);
        other.saw_input(second);
        other.longest_queued = Duration::from_secs(1);
        one.merge(&other);
        one.merge(&Times::default());
        assert_eq!(one.oldest_event, Some(first));
        assert_eq!(one.newest_event, Some(third));
        assert_eq!(one.oldest_input, Some(second));
        assert_eq!(one.longest_queued, Duration::from_secs(1));
    }
}
