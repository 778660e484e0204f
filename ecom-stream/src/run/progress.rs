//! Progress: what a run has done so far, published after each commit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::Instant;

use super::lag::Lag;
use super::queue::ReaderTimes;
use super::summary::Summary;
use crate::contract::{Commit, Counts, SplitState, StageDurations};

/// What a run has done so far, as of a commit.
///
/// [`commit`](Self::commit), [`committed_at`](Self::committed_at) and [`lag`](Self::lag) are about the last epoch. Everything
/// else is a total since the start of the run, so that a receiver that misses some progress still has the right totals.
///
/// ```
/// use ecom_stream::SourceExt;
/// use ecom_stream::memory::{MemorySink, MemorySource};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let source = MemorySource::new("numbers", (0..25).collect::<Vec<i32>>()).max_batch_rows(10);
/// let pipeline = source.to(MemorySink::new("doc"));
/// let progress = pipeline.subscribe();
/// pipeline.run().await?;
/// let last = progress.latest().expect("there were commits");
/// assert_eq!((last.commit.counts.stored, last.counts.stored), (5, 25));
/// assert_eq!((last.epochs, last.splits.finished), (3, 1));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Progress {
    /// The last commit: its epoch, positions, counts, and how long each stage took.
    pub commit: Arc<Commit>,
    /// When the run learned of this commit, by the clock of this machine.
    pub committed_at: OffsetDateTime,
    /// How far behind the input the sink was then.
    pub lag: Lag,
    /// The time since the sink was ready and reading began.
    pub elapsed: Duration,
    /// The number of epochs that this run has committed.
    pub epochs: u64,
    /// How many records were read, and how many of them were stored, duplicates, rejected or filtered.
    pub counts: Counts,
    /// The bytes of input that these records had, about.
    pub bytes: u64,
    /// How many splits came to an end.
    pub splits: EndedSplits,
    /// The throughput.
    pub rows_per_s: RowsPerSecond,
    /// How long each stage took: those of the reader, and those of the sink.
    pub stages: StageDurations,
}

/// Throughput, in committed input records ([`Counts::read`]) per second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct RowsPerSecond {
    /// The mean over the last 10 seconds before the commit, or since the sink was ready if that is less.
    pub recent: f64,
    /// The mean since the sink was ready.
    pub run: f64,
}

/// How many splits came to an end in this run. A split that finished, grew and finished again counts twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedSplits {
    /// Read to their end.
    pub finished: u64,
    /// Read up to damage.
    pub damaged: u64,
    /// Not read, since their header does not fit.
    pub set_aside: u64,
}

/// Receives the progress of a run. It is made by [`Pipeline::subscribe`](crate::Pipeline::subscribe).
///
/// It keeps only the latest progress. A slow receiver misses some, but never holds up the run, and takes no memory. A clone is
/// an independent receiver, and can be made at any time.
#[derive(Debug, Clone)]
pub struct ProgressReceiver(watch::Receiver<Option<Arc<Progress>>>);

impl ProgressReceiver {
    /// Waits until there is progress that this receiver has not seen, and returns the latest. `None` when the run has ended,
    /// in whatever way, and this receiver has seen its last commit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the next call returns the same progress, or a later one.
    pub async fn next(&mut self) -> Option<Arc<Progress>> {
        self.0.changed().await.ok()?;
        self.0.borrow_and_update().clone()
    }

    /// The latest progress, whether this receiver has seen it or not; `None` before the first commit. After the end of the run
    /// it is that of the last commit.
    pub fn latest(&self) -> Option<Arc<Progress>> {
        self.0.borrow().clone()
    }
}

impl EndedSplits {
    fn add(&mut self, state: &SplitState) {
        match state {
            SplitState::Open | SplitState::Withdrawn => {}
            SplitState::Finished => self.finished += 1,
            SplitState::Damaged(_) => self.damaged += 1,
            SplitState::SetAside(_) => self.set_aside += 1,
        }
    }
}

/// The sending half of [`ProgressReceiver`].
#[derive(Debug)]
pub(crate) struct ProgressSender(watch::Sender<Option<Arc<Progress>>>);

impl ProgressSender {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// A receiver that has seen nothing yet.
    pub(crate) fn subscribe(&self) -> ProgressReceiver {
        ProgressReceiver(self.0.subscribe())
    }
}

/// The totals of a run. Publishes them, and the metrics, after each commit.
pub(crate) struct Tally {
    receivers: ProgressSender,
    reader: Arc<ReaderTimes>,
    began: Instant,
    window: Window,
    summary: Summary,
    bytes: u64,
    splits: EndedSplits,
    sink: StageDurations,
}

impl Tally {
    /// The totals of a run that begins now.
    pub(crate) fn new(receivers: ProgressSender, reader: Arc<ReaderTimes>) -> Self {
        let began = Instant::now();
        Self {
            receivers,
            reader,
            began,
            window: Window::new(began),
            summary: Summary::default(),
            bytes: 0,
            splits: EndedSplits::default(),
            sink: StageDurations::default(),
        }
    }

    /// The totals that [`Pipeline::run`](crate::Pipeline::run) returns; it is not known here whether the run was stopped.
    pub(crate) fn summary(&self) -> Summary {
        self.summary
    }

    /// Adds a commit, and publishes the new progress.
    pub(crate) fn committed(&mut self, commit: &Arc<Commit>) {
        let now = Instant::now();
        self.summary.epochs += 1;
        self.summary.counts += commit.counts;
        self.bytes += commit.bytes;
        self.sink.merge(&commit.stages);
        for position in &commit.positions {
            self.splits.add(&position.state);
        }
        self.window.add(now, commit.counts.read);

        let committed_at = OffsetDateTime::now_utc();
        let elapsed = now - self.began;
        let lag = Lag::at(committed_at, &commit.times);
        #[cfg(feature = "metrics")]
        crate::run::metrics::committed(commit, &lag, committed_at);
        let mut stages = self.reader.stages();
        stages.merge(&self.sink);
        let progress = Progress {
            commit: Arc::clone(commit),
            committed_at,
            lag,
            elapsed,
            epochs: self.summary.epochs,
            counts: self.summary.counts,
            bytes: self.bytes,
            splits: self.splits,
            rows_per_s: RowsPerSecond {
                recent: per_second(self.window.sum(), elapsed.min(WINDOW)),
                run: per_second(self.summary.counts.read, elapsed),
            },
            stages,
        };
        // A receiver holds the lock only to clone a pointer, so a slow one does not hold this up.
        self.receivers.0.send_replace(Some(Arc::new(progress)));
    }
}

fn per_second(rows: u64, time: Duration) -> f64 {
    rows as f64 / time.max(Duration::from_millis(1)).as_secs_f64()
}

const WINDOW: Duration = Duration::from_secs(10);
const SLOT: Duration = Duration::from_millis(100);

/// The number of rows in the last [`WINDOW`], in slots of [`SLOT`]: about a hundred slots, whatever the number of commits.
struct Window {
    slots: VecDeque<(Instant, u64)>,
    sum: u64,
}

impl Window {
    fn new(began: Instant) -> Self {
        Self {
            slots: VecDeque::from([(began, 0)]),
            sum: 0,
        }
    }

    fn add(&mut self, now: Instant, rows: u64) {
        while let Some((since, old)) = self.slots.front()
            && now - *since > WINDOW
        {
            self.sum -= old;
            self.slots.pop_front();
        }
        self.sum += rows;
        match self.slots.back_mut() {
            Some((since, slot)) if now - *since < SLOT => *slot += rows,
            _ => self.slots.push_back((now, rows)),
        }
    }

    fn sum(&self) -> u64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::contract::Times;

    #[test]
    fn a_lag_is_never_negative_and_shows_that_clocks_differ() {
        let now = datetime!(2026-11-01 12:00 UTC);
        let mut times = Times::default();
        assert_eq!(Lag::at(now, &times), Lag::default());

        times.saw_event(now - Duration::from_secs(60));
        times.saw_event(now - Duration::from_secs(2));
        times.saw_input(now - Duration::from_millis(5));
        let lag = Lag::at(now, &times);
        assert_eq!(lag.oldest_event, Some(Duration::from_secs(60)));
        assert_eq!(lag.newest_event, Some(Duration::from_secs(2)));
        assert_eq!(lag.oldest_input, Some(Duration::from_millis(5)));
        assert_eq!(lag.ahead, Duration::ZERO);

        times.saw_event(now + Duration::from_secs(30));
        let lag = Lag::at(now, &times);
        assert_eq!(lag.oldest_event, Some(Duration::from_secs(60)));
        assert_eq!(lag.newest_event, Some(Duration::ZERO));
        assert_eq!(lag.ahead, Duration::from_secs(30));
    }

    #[test]
    fn the_window_drops_old_rows_and_stays_small() {
        let began = Instant::now();
        let mut window = Window::new(began);
        for ms in 0..60_000 {
            window.add(began + Duration::from_millis(ms), 1);
        }
        let most = (WINDOW + SLOT).as_millis() as u64;
        assert!((10_000 - 100..=most).contains(&window.sum()), "{}", window.sum());
        assert!(window.slots.len() <= 102, "{}", window.slots.len());

        window.add(began + Duration::from_secs(3_600), 7);
        assert_eq!(window.sum(), 7);
    }
}
