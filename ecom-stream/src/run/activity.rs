//! Whether a run makes progress, for a watchdog.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Tells how long a run has made no progress although the sink has records to commit. This is what a watchdog asks.
///
/// It is made by [`Pipeline::activity`](crate::Pipeline::activity), and its clones are about the same run. A run whose source
/// has nothing new is idle and not stuck.
///
/// ```
/// use ecom_stream::SourceExt;
/// use ecom_stream::memory::{MemorySink, MemorySource};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let pipeline = MemorySource::new("numbers", vec![1, 2, 3]).to(MemorySink::new("doc"));
/// let activity = pipeline.activity();
/// pipeline.run().await?;
/// assert_eq!(activity.stuck_for(), None, "everything is committed");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Activity(Arc<Mutex<ActivityState>>);

#[derive(Debug)]
struct ActivityState {
    /// The number of records that the sink has received and not committed.
    uncommitted: u64,
    /// When the sink last received or committed something.
    last_change: Instant,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(ActivityState {
            uncommitted: 0,
            last_change: Instant::now(),
        })))
    }

    /// The time since the sink last received or committed something, while it has records that are not committed. `None` if it
    /// has none, however long no record comes.
    pub fn stuck_for(&self) -> Option<Duration> {
        let state = self.lock();
        (state.uncommitted > 0).then(|| state.last_change.elapsed())
    }

    /// Notes records that the sink receives.
    pub(crate) fn sent_to_sink(&self, records: u64) {
        let mut state = self.lock();
        state.uncommitted += records;
        state.last_change = Instant::now();
    }

    /// Notes records that the sink has committed.
    pub(crate) fn committed(&self, records: u64) {
        let mut state = self.lock();
        state.uncommitted = state.uncommitted.saturating_sub(records);
        state.last_change = Instant::now();
    }

    fn lock(&self) -> MutexGuard<'_, ActivityState> {
        // Plain numbers are valid even if a holder of the lock panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_run_is_stuck_only_while_the_sink_has_records() {
        let activity = Activity::new();
        let minute = Duration::from_secs(60);
        tokio::time::advance(minute).await;
        assert_eq!(activity.stuck_for(), None);
        activity.sent_to_sink(3);
        tokio::time::advance(minute).await;
        assert_eq!(activity.stuck_for(), Some(minute));
        activity.committed(2);
        assert_eq!(activity.stuck_for(), Some(Duration::ZERO));
        activity.committed(1);
        tokio::time::advance(minute).await;
        assert_eq!(activity.stuck_for(), None);
    }
}
