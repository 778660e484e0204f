//! Whether a run gets on with what it has.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Tells for how long a run has had records on their way to the sink without anything moving: what a watchdog wants to know.
/// See [`Pipeline::activity`](crate::Pipeline::activity).
#[derive(Debug, Clone)]
pub struct Activity(Arc<Mutex<Moves>>);

#[derive(Debug)]
struct Moves {
    /// Records that the sink was given and has not committed.
    unsettled: u64,
    last: Instant,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Moves {
            unsettled: 0,
            last: Instant::now(),
        })))
    }

    /// Since when the sink has been given nothing and has committed nothing, although it has records; `None` while it has
    /// none, however long nothing comes.
    pub fn stuck_for(&self) -> Option<Duration> {
        let moves = self.lock();
        (moves.unsettled > 0).then(|| moves.last.elapsed())
    }

    pub(crate) fn given(&self, records: u64) {
        let mut moves = self.lock();
        moves.unsettled += records;
        moves.last = Instant::now();
    }

    pub(crate) fn settled(&self, records: u64) {
        let mut moves = self.lock();
        moves.unsettled = moves.unsettled.saturating_sub(records);
        moves.last = Instant::now();
    }

    fn lock(&self) -> MutexGuard<'_, Moves> {
        // Numbers are sound whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_records_that_do_not_move_are_stuck() {
        let activity = Activity::new();
        let minute = Duration::from_secs(60);
        tokio::time::advance(minute).await;
        assert_eq!(activity.stuck_for(), None);
        activity.given(3);
        tokio::time::advance(minute).await;
        assert_eq!(activity.stuck_for(), Some(minute));
        activity.settled(2);
        assert_eq!(activity.stuck_for(), Some(Duration::ZERO));
        activity.settled(1);
        tokio::time::advance(minute).await;
        assert_eq!(activity.stuck_for(), None);
    }
}
