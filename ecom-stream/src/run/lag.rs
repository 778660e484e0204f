//! How far a sink is behind the input.

use std::time::Duration;

use time::OffsetDateTime;

use crate::contract::Times;

/// How far the sink is behind the input at the time of a commit. Never negative: see [`ahead`](Self::ahead).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lag {
    /// Since the newest event of the epoch happened: how old the view is that a reader of the sink has.
    pub newest_event: Option<Duration>,
    /// Since the oldest event of the epoch happened.
    pub oldest_event: Option<Duration>,
    /// Since the oldest input of the epoch was written. For a file this counts from its modification time, so one that was
    /// copied here with its old time counts as old.
    pub oldest_input: Option<Duration>,
    /// By how much the newest of these lay in the future of the clock here; zero unless the clocks differ.
    pub ahead: Duration,
}

impl Lag {
    pub(super) fn at(now: OffsetDateTime, times: &Times) -> Self {
        let since = |time: Option<OffsetDateTime>| time.map(|time| (now - time).try_into().unwrap_or_default());
        let newest = [times.newest_event, times.oldest_input].into_iter().flatten().max();
        Self {
            newest_event: since(times.newest_event),
            oldest_event: since(times.oldest_event),
            oldest_input: since(times.oldest_input),
            ahead: newest.and_then(|time| (time - now).try_into().ok()).unwrap_or_default(),
        }
    }
}
