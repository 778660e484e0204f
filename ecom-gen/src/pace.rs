use time::{Duration, OffsetDateTime};

use crate::Rate;

/// When an event is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// When its time has come. A shop that starts in the past catches up with the clock first, as fast as possible.
    #[default]
    Live,
    /// At once, whatever its time.
    AsFastAsPossible,
}

/// When a shop has to start so that `events` events end about at `end`, and almost surely none lies after it; without a
/// number of events, a day before `end`.
pub fn history_start(rate: Rate, events: Option<u64>, end: OffsetDateTime) -> OffsetDateTime {
    let Some(events) = events else {
        return end.saturating_sub(Duration::DAY);
    };
    let events = events as f64;
    // The time that a number of events takes is random. Sessions make their number vary about 8 times as much as
    // independent events would; five standard deviations are allowed for.
    let seconds = (events + 5.0 * (8.0 * events).sqrt()) / rate.events_per_second();
    end.saturating_sub(Duration::saturating_seconds_f64(seconds))
}
