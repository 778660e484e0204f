//! A pipeline, and how it is run.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::FutureExt;
use futures::stream::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::activity::Activity;
use super::progress::{ProgressReceiver, ProgressSender, Tally};
use super::queue::{QueueLimits, ReaderTimes, fill, queue};
use super::summary::Summary;
use super::task::{AbortOnDrop, panicked, sink_panicked};
use crate::contract::{Commit, Committed, Error, ErrorKind, Result, RunLedger, Sink, Source, Topology};
use crate::crash_point;

/// A source, with its transforms, and a sink. It is made by [`SourceExt::to`](crate::SourceExt::to).
///
/// ```
/// use ecom_stream::SourceExt;
/// use ecom_stream::memory::{MemorySink, MemorySource};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let pipeline = MemorySource::new("numbers", vec![1, 2, 3]).to(MemorySink::new("doc"));
/// let summary = pipeline.run().await?;
/// assert_eq!((summary.counts.stored, summary.stopped), (3, false));
/// # Ok(()) }
/// ```
#[must_use = "a pipeline does nothing until it is run"]
pub struct Pipeline<S, K> {
    source: S,
    sink: K,
    limits: QueueLimits,
    stop_within: Duration,
    last_run: bool,
    progress: ProgressSender,
    activity: Activity,
}

impl<S, K> std::fmt::Debug for Pipeline<S, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<S, K> Pipeline<S, K> {
    pub(crate) fn new(source: S, sink: K) -> Self {
        Self {
            source,
            sink,
            limits: QueueLimits::default(),
            stop_within: Duration::from_secs(30),
            last_run: false,
            progress: ProgressSender::new(),
            activity: Activity::new(),
        }
    }

    /// Sets how much may wait between the source and the sink, instead of [`QueueLimits::default`].
    pub fn queue_limits(mut self, limits: QueueLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long the sink may take to commit what it has after the run is stopped. The default is 30 seconds. After that
    /// time the run fails with [`ErrorKind::Unavailable`], as if it had crashed: the next run resumes after the last commit.
    pub fn stop_within(mut self, stop_within: Duration) -> Self {
        self.stop_within = stop_within;
        self
    }

    /// Whether this is the last run of the pipeline, so that no more input follows. The default is `false`: windows that are open
    /// at the end of a run stay in the checkpoint, and the next run goes on with them.
    ///
    /// In the last run, all windows close when the source is exhausted, and operators emit the records that they hold back. A
    /// run that is stopped closes no window.
    ///
    /// Records that are read in a later run are late, and that run logs a warning. To continue such a pipeline, give
    /// [`EventTime`](crate::operators::EventTime) another name.
    pub fn last_run(mut self, last_run: bool) -> Self {
        self.last_run = last_run;
        self
    }

    /// Subscribes to the progress of the run, which is published after each commit. To subscribe during the run, clone a
    /// receiver.
    ///
    /// ```
    /// # use ecom_stream::{SourceExt, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let pipeline = MemorySource::new("numbers", vec![1, 2, 3]).to(MemorySink::new("doc"));
    /// let mut progress = pipeline.subscribe();
    /// let shown = tokio::spawn(async move {
    ///     while let Some(progress) = progress.next().await {
    ///         println!("{} stored, {:.0}/s", progress.counts.stored, progress.rows_per_s.recent);
    ///     }
    ///     progress.latest().map(|last| last.counts.stored)
    /// });
    /// pipeline.run().await?;
    /// assert_eq!(shown.await.unwrap(), Some(3));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn subscribe(&self) -> ProgressReceiver {
        self.progress.subscribe()
    }

    /// Tells whether the run makes progress, for a watchdog.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.activity.clone()
    }
}

impl<S, K> Pipeline<S, K>
where
    S: Source + 'static,
    K: Sink<S::Item>,
{
    /// Runs until the source is exhausted and everything is committed. With a source that never ends, it runs until it fails.
    ///
    /// # Errors
    ///
    /// Those of the source, the operators and the sink. What was committed before stays committed.
    /// [`ErrorKind::Configuration`], before anything is read, if two sources or two operators have the same name.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the run like a crash: what is committed stays, and the next run resumes after it.
    pub async fn run(self) -> Result<Summary> {
        self.run_until(pending()).await
    }

    /// Runs until the source is exhausted, or until `stop` completes, such as [`stop_signal`](crate::stop_signal).
    ///
    /// On a stop, the stream ends in front of the sink, which commits what it has received. Operators do not see the stop, and
    /// no window closes.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ecom_stream::memory::MemorySink;
    /// use ecom_stream::{CsvDirSource, SourceExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// // This source waits for files for ever.
    /// let pipeline = CsvDirSource::new(dir.path()).to(MemorySink::new("doc"));
    /// let summary = pipeline.run_until(tokio::time::sleep(Duration::from_millis(50))).await?;
    /// assert!(summary.stopped);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run), and [`ErrorKind::Unavailable`] if the sink does not commit in time after the stop: see
    /// [`stop_within`](Self::stop_within).
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<Summary> {
        // On the heap: the future of the caller stays small, and so does the stack that it needs.
        Box::pin(self.drive(stop)).await
    }

    async fn drive(mut self, stop: impl Future<Output = ()> + Send + 'static) -> Result<Summary> {
        let stop = stop.shared();
        let mut topology = Topology::default();
        self.source.describe(&mut topology);
        topology.check()?;
        self.source.check()?;

        let checkpoint = tokio::select! {
            biased;
            () = stop.clone() => return Ok(Summary { stopped: true, ..Summary::default() }),
            ledger = self.sink.ledger(&topology) => ledger?,
        };
        let checkpoint = match self.last_run {
            true => Arc::new(RunLedger {
                ledger: checkpoint,
                is_last: true,
                sources: Vec::new(),
            }),
            false => checkpoint,
        };

        let (queue, batches) = queue(self.limits);
        let (acks, acked) = mpsc::channel(ACKS_IN_FLIGHT);
        let (input, ack) = self.source.open(checkpoint);
        let reader_times = Arc::<ReaderTimes>::default();
        let mut tally = Tally::new(self.progress, Arc::clone(&reader_times));
        // Reading is a task of its own, so that it goes on while the sink writes.
        let mut reader = AbortOnDrop(tokio::spawn(fill(input, queue, reader_times)));
        let mut acknowledging = AbortOnDrop(tokio::spawn(acknowledge(ack, acked)));

        let activity = self.activity;
        let sent = activity.clone();
        let batches =
            batches.inspect_ok(move |batch| sent.sent_to_sink(batch.counts.iter().map(|count| count.read).sum()));
        let input = batches.take_until(stop.clone());
        let outcome = {
            // Nothing of the sink is used after a panic: it is dropped, as by a crash.
            let commits = AssertUnwindSafe(self.sink.commit(input)).catch_unwind();
            let mut commits = pin!(commits.map(|commit| commit.unwrap_or_else(|panic| Err(sink_panicked(&*panic)))));
            let mut too_late = pin!(async {
                stop.clone().await;
                tokio::time::sleep(self.stop_within).await;
            });
            loop {
                let commit = tokio::select! {
                    biased;
                    // This task ends early only by a panic. Without it no file would be archived, and nobody would notice.
                    ended = &mut acknowledging.0 => break ended.map_err(panicked),
                    commit = commits.next() => commit,
                    () = &mut too_late => break Err(not_in_time(self.stop_within)),
                };
                match commit {
                    Some(Ok(commit)) => {
                        let commit = Arc::new(commit);
                        tally.committed(&commit);
                        activity.committed(commit.counts.read);
                        crash_point!("commit.shown");
                        // This fails only if the task has panicked, which the branch above reports.
                        tokio::select! {
                            biased;
                            _ = acks.send(commit) => {}
                            () = &mut too_late => break Err(not_in_time(self.stop_within)),
                        }
                    }
                    Some(Err(err)) => break Err(err),
                    None => break Ok(()),
                }
            }
        };
        drop(acks);
        if matches!(&outcome, Err(err) if err.kind() == ErrorKind::Stale) {
            // The sink may have lost the commits that wait: no file may be removed for them.
            acknowledging.0.abort();
        }
        let stopped = stop.peek().is_some();
        // The sink is dropped, and its end of the queue with it: so the reader ends.
        let reader = (&mut reader.0).await;
        outcome?;
        reader.map_err(panicked)?;
        (&mut acknowledging.0).await.map_err(panicked)?;
        Ok(Summary {
            stopped,
            ..tally.summary()
        })
    }
}

/// How many commits may wait for the ack before the sink waits too.
const ACKS_IN_FLIGHT: usize = 64;

/// Tells the source of each commit, in order. A commit whose ack fails does not hold up the others: it is repeated every
/// five seconds, and a few times at the end of the run.
async fn acknowledge(mut ack: impl Committed, mut commits: mpsc::Receiver<Arc<Commit>>) {
    const MAX_FAILED_ACKS: usize = 1_000;
    const RETRY_EVERY: Duration = Duration::from_secs(5);
    const LAST_TRIES: usize = 3;
    const LAST_RETRY_EVERY: Duration = Duration::from_millis(200);

    let mut failed: VecDeque<Arc<Commit>> = VecDeque::new();
    let mut tried_at = Instant::now();
    loop {
        // A failed ack is repeated even if no further commit comes.
        let next = match failed.is_empty() {
            true => Ok(commits.recv().await),
            false => timeout_at(tried_at + RETRY_EVERY, commits.recv()).await,
        };
        match next {
            Ok(Some(commit)) => acknowledge_all(&mut ack, &mut failed, [commit]).await,
            Ok(None) => break,
            Err(_) => {}
        }
        if tried_at.elapsed() >= RETRY_EVERY {
            let again = std::mem::take(&mut failed);
            acknowledge_all(&mut ack, &mut failed, again).await;
            tried_at = Instant::now();
        }
        if failed.len() > MAX_FAILED_ACKS {
            tracing::warn!(
                "the source could not act on {MAX_FAILED_ACKS} commits; the oldest is not repeated until the next start"
            );
            failed.pop_front();
        }
    }
    for _ in 0..LAST_TRIES {
        if failed.is_empty() {
            return;
        }
        tokio::time::sleep(LAST_RETRY_EVERY).await;
        let again = std::mem::take(&mut failed);
        acknowledge_all(&mut ack, &mut failed, again).await;
    }
}

/// Tells the source of `commits`, and adds those whose ack fails to `failed`.
async fn acknowledge_all(
    ack: &mut impl Committed,
    failed: &mut VecDeque<Arc<Commit>>,
    commits: impl IntoIterator<Item = Arc<Commit>>,
) {
    for commit in commits {
        crash_point!("ack.begun");
        if let Err(err) = ack.committed(&commit).await {
            tracing::warn!(
                epoch = commit.epoch,
                "the source could not act on a commit; trying again later: {}",
                err.report()
            );
            failed.push_back(commit);
        }
        crash_point!("ack.done");
    }
}

fn not_in_time(stop_within: Duration) -> Error {
    let message = format!(
        "the sink did not commit within {} seconds after the stop",
        stop_within.as_secs()
    );
    Error::new(ErrorKind::Unavailable, message).hint("run it again: the next run resumes after the last commit")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails at first, then counts.
    struct FailsOnce {
        failed: bool,
        acted: mpsc::UnboundedSender<u64>,
    }

    impl Committed for FailsOnce {
        async fn committed(&mut self, commit: &Commit) -> Result<()> {
            if !std::mem::replace(&mut self.failed, true) {
                return Err(Error::new(ErrorKind::Source, "not yet"));
            }
            let _ = self.acted.send(commit.epoch);
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_ack_is_repeated_although_no_commit_follows() {
        let (acted, mut acts) = mpsc::unbounded_channel();
        let (acks, acked) = mpsc::channel(1);
        let ack = FailsOnce { failed: false, acted };
        let task = tokio::spawn(acknowledge(ack, acked));
        acks.send(Arc::new(Commit::new(7))).await.unwrap();
        assert_eq!(acts.recv().await, Some(7));
        drop(acks);
        task.await.unwrap();
        assert_eq!(acts.recv().await, None);
    }
}
