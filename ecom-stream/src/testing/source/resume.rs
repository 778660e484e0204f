//! The check of resuming: wherever a run is cut, what was committed and what the next run reads are together everything.

use std::fmt::{self, Debug, Display};
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IteratorRandom;
use rand::{RngExt, SeedableRng};

use super::batches::BatchChecker;
use crate::contract::{Batch, Source, Topology};
use crate::testing::law::Law;
use crate::testing::ledger::TestLedger;
use crate::testing::run_output::RunOutput;

/// Reads runs of a source, and compares runs that were cut with one that was not.
pub(in crate::testing) struct RunReader<'a, F> {
    /// Makes the source, as a restart does.
    pub(in crate::testing) make: &'a F,
    /// Whether a run ends at the first empty batch.
    pub(in crate::testing) until_idle: bool,
    /// Whether each record of the input becomes one record, reject or filtered record.
    pub(in crate::testing) one_to_one: bool,
    /// Whether records have an order within a split only.
    pub(in crate::testing) split_by_split: bool,
    /// The law that a difference breaks.
    pub(in crate::testing) law: Law,
}

/// A source that sends nothing for this time, not even an empty batch, has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a run is cut.
struct Cut<'a> {
    /// How many batches are committed.
    commit: usize,
    /// How many batches are read: as many or more.
    read: usize,
    /// How many more times the stream is polled before it is dropped.
    polls: usize,
    run: usize,
    seed: u64,
    of: &'a dyn Display,
}

impl Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, run {}: cut after {} batches were read, {} of them committed (seed {})",
            self.of, self.run, self.read, self.commit, self.seed
        )
    }
}

impl<S: Source, F: Fn() -> S> RunReader<'_, F>
where
    S::Item: PartialEq + Debug,
{
    /// Reads up to `most` batches from the ledger on, polls the stream some times more, and drops it. Says whether that was
    /// all.
    pub(in crate::testing) async fn read(
        &self,
        ledger: &TestLedger,
        max: usize,
        polls: usize,
        at: &dyn Display,
    ) -> (Vec<Batch<S::Item>>, bool) {
        let source = (self.make)();
        let mut topology = Topology::default();
        source.describe(&mut topology);
        let names = topology.sources().iter().map(|source| source.name.clone()).collect();
        let mut checker = BatchChecker::new(names, self.one_to_one, &ledger.positions());
        let (stream, _ack) = source.open(ledger.checkpoint());
        let mut stream = pin!(stream);
        let mut batches = Vec::new();
        while batches.len() < max {
            let Ok(next) = tokio::time::timeout(PATIENCE, stream.next()).await else {
                Law::READS.broken(at, format!("nothing for {PATIENCE:?}, not even an empty batch"));
            };
            match next {
                Some(Ok(batch)) if self.until_idle && batch.is_empty() => return (batches, true),
                Some(Ok(batch)) => {
                    checker.check(&batch, at);
                    batches.push(batch);
                }
                Some(Err(err)) => Law::READS.broken(at, err.report()),
                None => return (batches, true),
            }
        }
        for _ in 0..polls {
            if futures::poll!(stream.next()).is_ready() {
                break;
            }
        }
        (batches, false)
    }

    /// Reads everything in one run without a cut.
    pub(in crate::testing) async fn whole(&self, at: &dyn Display) -> Vec<Batch<S::Item>> {
        self.read(&TestLedger::new(), usize::MAX, 0, at).await.0
    }

    /// Cuts a run after each batch, or after `most_cuts` of them, and resumes it. Then cuts every run after a few batches until
    /// one reaches the end. Each time the output must be that of `whole`.
    pub(in crate::testing) async fn check_cuts(
        &self,
        whole: Vec<Batch<S::Item>>,
        most_cuts: usize,
        seed: u64,
        of: &dyn Display,
    ) {
        let batches = whole.len();
        let whole = self.in_order(whole.into_iter().collect());
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut after = (0..=batches).sample(&mut rng, most_cuts);
        after.sort_unstable();
        for commit in after {
            let cut = Cut {
                commit,
                read: commit + rng.random_range(0..=2),
                polls: rng.random_range(0..=3),
                run: 1,
                seed,
                of,
            };
            let (ledger, mut seen) = (TestLedger::new(), RunOutput::default());
            self.run_to(&cut, &ledger, &mut seen).await;
            let (rest, _) = self.read(&ledger, usize::MAX, 0, &cut).await;
            seen.extend(rest);
            self.compare(seen, &whole, &cut);
        }

        let (ledger, mut seen) = (TestLedger::new(), RunOutput::default());
        // Some runs commit nothing, so more runs than batches may be needed.
        for run in 1.. {
            let commit = rng.random_range(0..=3);
            let cut = Cut {
                commit,
                read: commit + rng.random_range(0..=2),
                polls: rng.random_range(0..=3),
                run,
                seed,
                of,
            };
            self.law
                .holds(run <= 10 * (batches + 10), &cut, || "no end after so many runs".into());
            if self.run_to(&cut, &ledger, &mut seen).await {
                self.compare(seen, &whole, &cut);
                break;
            }
        }
    }

    /// Runs up to the cut, and commits. If the run reached its end before, commits everything and returns `true`.
    async fn run_to(&self, cut: &Cut<'_>, ledger: &TestLedger, seen: &mut RunOutput<S::Item>) -> bool {
        let (batches, ended) = self.read(ledger, cut.read, cut.polls, cut).await;
        let committed = if ended && batches.len() <= cut.commit {
            usize::MAX
        } else {
            cut.commit
        };
        for batch in batches.into_iter().take(committed) {
            ledger.commit(&batch);
            seen.extend([batch]);
        }
        committed == usize::MAX
    }

    fn compare(&self, seen: RunOutput<S::Item>, whole: &RunOutput<S::Item>, at: &dyn Display) {
        if let Some(difference) = self.in_order(seen).difference(whole) {
            self.law
                .broken(at, format!("with what was committed before the cut, {difference}"));
        }
    }

    pub(in crate::testing) fn in_order(&self, seen: RunOutput<S::Item>) -> RunOutput<S::Item> {
        if self.split_by_split {
            seen.split_by_split()
        } else {
            seen
        }
    }
}
