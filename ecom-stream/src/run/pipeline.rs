//! The pipeline and its runner.

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

/// A source and a sink; see [`SourceExt::to`](crate::SourceExt::to).
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

    /// Bounds what may wait between the source and the sink, in place of [`QueueLimits::default`].
    pub fn queue_limits(mut self, limits: QueueLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How long the sink may take to commit what it has once the run is stopped, 30 seconds. After that it is given up, as
    /// by a crash: the next run goes on after the last commit.
    pub fn stop_within(mut self, stop_within: Duration) -> Self {
        self.stop_within = stop_within;
        self
    }

    /// Whether this is the last run of the pipeline, so that nothing follows what the source has now; `false` unless it is set.
    /// When the source is exhausted, all windows close, and what waits for more records comes out. Without this, windows that are open at the end of a run stay so in the checkpoint, and
    /// the next run goes on with them.
    ///
    /// A run that is stopped closes nothing. Whatever is read in spite of it later is late, in every later run, which begins with a
    /// warning that says so. To go on after all, give [`EventTime`](crate::operators::EventTime) another name.
    pub fn last_run(mut self, last_run: bool) -> Self {
        self.last_run = last_run;
        self
    }

    /// Subscribes to the progress of the run: what it has done so far, as of each commit. Whoever wants to subscribe during
    /// the run clones a receiver.
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

    /// Whether the run gets on with what it has, for a watchdog.
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
    /// Runs until the source is exhausted and everything is committed. A source that never ends runs on and on.
    ///
    /// # Errors
    ///
    /// Those of the source and of the sink; what was committed before stays. [`ErrorKind::Configuration`] before
    /// anything is read when two sources or two operators share a name.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the run as a crash would: a prefix of the input is durable, and the next run goes on
    /// after it.
    pub async fn run(self) -> Result<Summary> {
        self.run_until(pending()).await
    }

    /// Runs until the source is exhausted or `stop` completes. Then the stream ends in front of the sink, which commits
    /// what it has: operators see nothing of it, no window closes.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_until(mut self, stop: impl Future<Output = ()> + Send + 'static) -> Result<Summary> {
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
        // Reading has a task of its own, so that it goes on while the sink writes.
        let mut reader = AbortOnDrop(tokio::spawn(fill(input, queue, reader_times)));
        let mut acknowledging = AbortOnDrop(tokio::spawn(acknowledge(ack, acked)));

        let activity = self.activity;
        let given = activity.clone();
        let batches = batches.inspect_ok(move |batch| given.given(batch.counts.iter().map(|count| count.read).sum()));
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
                    // While commits are sent to it, it ends only by a panic. Going on without it would look well and archive nothing.
                    ended = &mut acknowledging.0 => break ended.map_err(panicked),
                    commit = commits.next() => commit,
                    () = &mut too_late => break Err(not_in_time(self.stop_within)),
                };
                match commit {
                    Some(Ok(commit)) => {
                        let commit = Arc::new(commit);
                        tally.committed(&commit);
                        activity.settled(commit.counts.read);
                        crash_point!("commit.shown");
                        // Fails only when the task has panicked, which is told above.
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
        let stopped = stop.peek().is_some();
        // The sink and with it the input are dropped: the reader notices and ends.
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

const ACKS_IN_FLIGHT: usize = 64;

/// Tells the source of commits. One that fails does not hold up the others: it is told again now and then, and a few times
/// at the end.
async fn acknowledge(mut ack: impl Committed, mut commits: mpsc::Receiver<Arc<Commit>>) {
    const MOST_FAILED: usize = 1_000;
    const BETWEEN_TRIES: Duration = Duration::from_secs(5);
    const LAST_TRIES: usize = 3;
    const BETWEEN_LAST_TRIES: Duration = Duration::from_millis(200);

    let mut failed: VecDeque<Arc<Commit>> = VecDeque::new();
    let mut tried_at = Instant::now();
    loop {
        // While something failed, a quiet stream must not keep it from being tried again.
        let next = match failed.is_empty() {
            true => Ok(commits.recv().await),
            false => timeout_at(tried_at + BETWEEN_TRIES, commits.recv()).await,
        };
        match next {
            Ok(Some(commit)) => tell(&mut ack, &mut failed, [commit]).await,
            Ok(None) => break,
            Err(_) => {}
        }
        if tried_at.elapsed() >= BETWEEN_TRIES {
            let again = std::mem::take(&mut failed);
            tell(&mut ack, &mut failed, again).await;
            tried_at = Instant::now();
        }
        if failed.len() > MOST_FAILED {
            tracing::warn!("the source could not act on {MOST_FAILED} commits: the oldest is left to its next start");
            failed.pop_front();
        }
    }
    for _ in 0..LAST_TRIES {
        if failed.is_empty() {
            return;
        }
        tokio::time::sleep(BETWEEN_LAST_TRIES).await;
        let again = std::mem::take(&mut failed);
        tell(&mut ack, &mut failed, again).await;
    }
}

async fn tell(
    ack: &mut impl Committed,
    failed: &mut VecDeque<Arc<Commit>>,
    commits: impl IntoIterator<Item = Arc<Commit>>,
) {
    for commit in commits {
        crash_point!("ack.begun");
        if let Err(err) = ack.committed(&commit).await {
            tracing::warn!(
                epoch = commit.epoch,
                "the source could not act on a commit yet: {}",
                err.report()
            );
            failed.push_back(commit);
        }
        crash_point!("ack.done");
    }
}

fn not_in_time(stop_within: Duration) -> Error {
    let message = format!(
        "the sink could not commit within {} seconds of the stop",
        stop_within.as_secs()
    );
    Error::new(ErrorKind::Unavailable, message).hint("what was committed stays; the next run goes on after it")
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
    async fn what_failed_is_tried_again_though_no_commit_follows() {
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
