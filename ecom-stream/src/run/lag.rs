//! The lag: how far the sink is behind the input.

use std::time::Duration;

use time::OffsetDateTime;

use crate::contract::Times;

/// How far the sink was behind the input at the time of a commit.
///
/// A duration is never negative. If an event or a file is newer than the clock of this machine, the duration is zero, and
/// [`ahead`](Self::ahead) says by how much. `None` means that the epoch had no such time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lag {
    /// The time since the newest event of the epoch happened. This is how old the data are that a reader of the sink sees.
    pub newest_event: Option<Duration>,
    /// The time since the oldest event of the epoch happened.
    pub oldest_event: Option<Duration>,
    /// The time since the oldest input of the epoch was written. For a file it counts from the modification time, so a file
    /// that was copied with its old modification time counts as old.
    pub oldest_input: Option<Duration>,
    /// How far the newest of these times is in the future of this machine's clock. Zero unless clocks differ.
    pub ahead: Duration,
}

impl Lag {
    /// The lag at the time `now` of an epoch with these times.
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
