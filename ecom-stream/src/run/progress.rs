//! Progress: what a run has done so far, told after each commit.

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
/// What is said of the epoch alone is in [`commit`](Self::commit); everything else adds up over the run, so that nobody
/// who misses one misses anything.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Progress {
    /// The commit: the number of the epoch, its positions, its counts, how long each of its stages took.
    pub commit: Arc<Commit>,
    /// When it was known to be durable, by the system's clock.
    pub committed_at: OffsetDateTime,
    /// How far behind it was then.
    pub lag: Lag,
    /// The time since the sink was ready.
    pub elapsed: Duration,
    /// How many epochs were committed.
    pub epochs: u64,
    /// What became of the records.
    pub counts: Counts,
    /// About how many bytes of input that was.
    pub bytes: u64,
    /// What became of the splits.
    pub splits: EndedSplits,
    /// How fast it went.
    pub rows_per_s: RowsPerSecond,
    /// What the time went into: the stages of the reader, then those of the sink.
    pub stages: StageDurations,
}

/// Records for which it was settled what becomes of them ([`Counts::read`]), per second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct RowsPerSecond {
    /// Over the last 10 seconds before the commit, or since the sink was ready if that is less.
    pub recent: f64,
    /// Since the sink was ready.
    pub run: f64,
}

/// Splits that came to an end. One that finished, grew and finished again counts twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedSplits {
    /// Read to their end.
    pub finished: u64,
    /// Read up to damage.
    pub damaged: u64,
    /// Not read at all, since nothing in them can be used.
    pub set_aside: u64,
}

/// Receives the progress of a run; see [`Pipeline::subscribe`](crate::Pipeline::subscribe).
///
/// It holds the latest and nothing else: one who is slow misses some, and neither holds the run up nor takes memory. A
/// clone is a receiver of its own, which can be made at any time.
#[derive(Debug, Clone)]
pub struct ProgressReceiver(watch::Receiver<Option<Arc<Progress>>>);

impl ProgressReceiver {
    /// Waits for progress that this receiver has not seen yet, and gives the latest. `None` once the run has ended,
    /// however it ended, and its last commit has been seen.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Arc<Progress>> {
        self.0.changed().await.ok()?;
        self.0.borrow_and_update().clone()
    }

    /// The latest, seen or not; `None` before the first commit. After the end of the run it stays that of the last commit.
    pub fn latest(&self) -> Option<Arc<Progress>> {
        self.0.borrow().clone()
    }
}

impl EndedSplits {
    fn add(&mut self, state: &SplitState) {
        match state {
            SplitState::Open => {}
            SplitState::Finished => self.finished += 1,
            SplitState::Damaged(_) => self.damaged += 1,
            SplitState::SetAside(_) => self.set_aside += 1,
        }
    }
}

/// The end of the subscriptions that the pipeline has.
#[derive(Debug)]
pub(crate) struct ProgressSender(watch::Sender<Option<Arc<Progress>>>);

impl ProgressSender {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    pub(crate) fn subscribe(&self) -> ProgressReceiver {
        ProgressReceiver(self.0.subscribe())
    }
}

/// Adds up what a run does, and tells it.
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
    /// The run begins.
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

    pub(crate) fn summary(&self) -> Summary {
        self.summary
    }

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
        // Receivers hold the lock only to clone a pointer: this never waits for one that is slow.
        self.receivers.0.send_replace(Some(Arc::new(progress)));
    }
}

fn per_second(rows: u64, time: Duration) -> f64 {
    rows as f64 / time.max(Duration::from_millis(1)).as_secs_f64()
}

const WINDOW: Duration = Duration::from_secs(10);
const SLOT: Duration = Duration::from_millis(100);

/// The rows of the last [`WINDOW`], by slots of time, of which it holds a hundred or so.
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
    fn a_lag_is_never_negative_and_tells_that_clocks_differ() {
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
    fn the_window_forgets_and_stays_small() {
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
