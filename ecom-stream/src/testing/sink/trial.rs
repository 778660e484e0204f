//! A series of runs of a sink on one store, with a comparison of ledger and store after each.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::pin::pin;

use futures::{StreamExt, TryStreamExt};

use crate::contract::{Checkpoint, Commit, Counts, Error, Position, Sink, Source, Split, StateChange};
use crate::testing::law::Law;
use crate::testing::run_output::difference_in_any_order;
use crate::testing::script::{OPERATOR, Script, Tally};
use crate::testing::store::Store;

/// A store, the input that is written to it, and what earlier runs have committed. A run may be dropped at any moment; the next
/// one resumes.
pub(super) struct Trial<'a, St: Store> {
    pub(super) store: &'a St,
    pub(super) script: &'a Script<St::Item>,
    /// Whether the sink keeps a ledger between runs.
    pub(super) remembers: bool,
    /// What was in the store before the run.
    before: Vec<St::Item>,
    /// How many entries the commits so far have covered.
    committed: usize,
    /// The numbers of entries after which batches of the last run ended.
    ends: Vec<usize>,
    epoch: Option<u64>,
    input_fails: bool,
}

impl<'a, St: Store> Trial<'a, St> {
    pub(super) fn new(store: &'a St, script: &'a Script<St::Item>, remembers: bool) -> Self {
        Self {
            store,
            script,
            remembers,
            before: Vec::new(),
            committed: 0,
            ends: script.ends(0),
            epoch: None,
            input_fails: false,
        }
    }

    /// Runs to the end of the script, or to `max_commits` commits. Returns the error of the stream, if there was one.
    pub(super) async fn run(&mut self, max_commits: usize, at: &dyn Display) -> Result<(), Error> {
        let mut sink = self.store.sink();
        let ledger = sink.ledger(&self.script.topology()).await;
        let ledger = ledger.unwrap_or_else(|err| Law::WORKS.broken(at, err.report()));
        let start = self.verify(&ledger, at).await;
        (self.committed, self.ends) = (start, self.script.ends(start));

        let mut totals = RunTotals::new(start, self.epoch, self.script.positions(start));
        let (input, ()) = self.script.clone().open(ledger);
        let mut commits = pin!(sink.commit(input));
        for _ in 0..max_commits {
            match commits.next().await {
                Some(Ok(commit)) => {
                    totals.add(&commit, self.script, &self.ends, at);
                    (self.committed, self.epoch) = (totals.end, Some(commit.epoch));
                }
                Some(Err(err)) => return Err(err),
                None => {
                    let end = self.script.len();
                    Law::ALL_COMMITTED.holds(self.committed == end || self.input_fails, at, || {
                        format!("{} of {end} entries are committed", self.committed)
                    });
                    break;
                }
            }
        }
        Ok(())
    }

    /// Runs over an input that fails, and returns the error that comes out.
    pub(super) async fn run_to_error(&mut self, at: &dyn Display) -> Option<Error> {
        self.input_fails = true;
        self.run(usize::MAX, at).await.err()
    }

    /// Verifies ledger and store after the last run, with a new instance of the sink.
    pub(super) async fn verify_after_restart(&mut self, at: &dyn Display) {
        let mut sink = self.store.sink();
        let ledger = sink.ledger(&self.script.topology()).await;
        let ledger = ledger.unwrap_or_else(|err| Law::WORKS.broken(at, err.report()));
        self.verify(&ledger, at).await;
    }

    /// Compares the ledger with the commits, and the store with the ledger. Returns the number of entries after which the next run
    /// resumes.
    async fn verify(&mut self, ledger: &Checkpoint, at: &dyn Display) -> usize {
        let positions = ledger.positions(&self.script.splits()).await;
        let positions = positions.unwrap_or_else(|err| Law::LEDGER.broken(at, err.report()));
        let contents = self.store.contents().await;
        let rejects = self.store.rejects().await;
        if !self.remembers {
            Law::LEDGER.holds(positions.is_empty(), at, || {
                format!("{positions:?} of a sink that remembers nothing")
            });
            self.verify_prefix(contents, at);
            return 0;
        }
        let Some(end) = self.script.covered(&positions) else {
            let expected = self.script.positions(self.committed);
            Law::LEDGER.broken(at, format!("{positions:?}, where the last commit was {expected:?}"))
        };
        Law::LEDGER.holds(end >= self.committed, at, || {
            format!("{end} entries, where {} were committed", self.committed)
        });
        Law::COMMITS.holds(self.ends.contains(&end), at, || {
            format!("{end} entries are durable, where batches end after {:?}", self.ends)
        });
        let state: Result<Vec<StateChange>, Error> = ledger.state(OPERATOR).try_collect().await;
        let state = state.unwrap_or_else(|err| Law::LEDGER.broken(at, err.report()));
        let expected = if end > 0 {
            vec![Script::<St::Item>::state(end)]
        } else {
            Vec::new()
        };
        Law::LEDGER.holds(state == expected, at, || {
            format!("the state {state:?} where {expected:?} was committed")
        });

        if let Some(difference) = difference_in_any_order("records", &contents, self.script.values(end)) {
            Law::ONCE.broken(
                at,
                format!("the ledger covers {end} entries, the store has {difference}"),
            );
        }
        let expected = self.script.tally(0..end).rejects;
        Law::ONCE.holds(rejects.is_none_or(|rejects| rejects == expected), at, || {
            format!("{rejects:?} rejects where the ledger covers {expected}")
        });
        end
    }

    /// Verifies a sink without a ledger: the last run must have added a prefix of the records, with everything committed.
    fn verify_prefix(&mut self, contents: Vec<St::Item>, at: &dyn Display) {
        let is_prefix = |end: &usize| {
            let expected = self.before.iter().cloned().chain(self.script.values(*end));
            difference_in_any_order("records", &contents, expected).is_none()
        };
        let (committed, len) = (self.committed, self.script.len());
        Law::PREFIX.holds((committed..=len).any(|end| is_prefix(&end)), at, || {
            let (before, now) = (self.before.len(), contents.len());
            format!("{before} records before the run, {now} after it, {committed} entries committed")
        });
        (self.before, self.committed, self.epoch) = (contents, 0, None);
    }

    /// Sends all records again from another source: a sink that recognizes records by their identity must store none.
    pub(super) async fn send_again(&self, at: &dyn Display) {
        let values = self.script.values(self.script.len());
        let script = Script::named("script again", values.clone()).batching(self.script.how());
        let mut sink = self.store.sink();
        let ledger = sink.ledger(&script.topology()).await;
        let ledger = ledger.unwrap_or_else(|err| Law::WORKS.broken(at, err.report()));
        let (input, ()) = script.open(ledger);
        let commits: Result<Vec<Commit>, Error> = sink.commit(input).try_collect().await;
        let commits = commits.unwrap_or_else(|err| Law::WORKS.broken(at, err.report()));
        let mut counts = Counts::default();
        commits.iter().for_each(|commit| counts += commit.counts);
        let all = values.len() as u64;
        Law::IDENTITY.holds((counts.stored, counts.duplicates) == (0, all), at, || {
            format!("{counts:?} of {all} records that are all there")
        });
        let contents = self.store.contents().await;
        if let Some(difference) = difference_in_any_order("records", &contents, values) {
            Law::IDENTITY.broken(at, difference);
        }
    }
}

/// The sums over the commits of one run.
struct RunTotals {
    start: usize,
    end: usize,
    epoch: Option<u64>,
    is_first: bool,
    positions: BTreeMap<Split, Position>,
    counts: Counts,
}

impl RunTotals {
    fn new(start: usize, epoch: Option<u64>, positions: Vec<Position>) -> Self {
        Self {
            start,
            end: start,
            epoch,
            is_first: true,
            positions: by_split(&positions).collect(),
            counts: Counts::default(),
        }
    }

    fn add<T: Clone + Debug>(&mut self, commit: &Commit, script: &Script<T>, ends: &[usize], at: &dyn Display) {
        if let Some(before) = self.epoch {
            // The run before may have committed epochs that it could not report any more.
            let follows = if self.is_first {
                commit.epoch > before
            } else {
                commit.epoch == before + 1
            };
            Law::EPOCHS.holds(follows, at, || format!("epoch {} after epoch {before}", commit.epoch));
        }
        (self.epoch, self.is_first) = (Some(commit.epoch), false);

        self.positions.extend(by_split(&commit.positions));
        let positions: Vec<Position> = self.positions.values().cloned().collect();
        let end = script
            .covered(&positions)
            .filter(|end| ends.contains(end) && *end >= self.end);
        let Some(end) = end else {
            let seen = format!("epoch {} leads from entry {} to {positions:?}", commit.epoch, self.end);
            Law::COMMITS.broken(at, format!("{seen}, where batches end after {ends:?}"))
        };
        self.end = end;

        self.counts += commit.counts;
        let Tally {
            records,
            rejects,
            filtered,
        } = script.tally(self.start..end);
        let expected = Counts {
            read: records + rejects + filtered,
            stored: records,
            duplicates: 0,
            rejected: rejects,
            filtered,
        };
        Law::COUNTS.holds(self.counts == expected, at, || {
            format!(
                "{:?} up to epoch {}, where {expected:?} is right",
                self.counts, commit.epoch
            )
        });
    }
}

fn by_split(positions: &[Position]) -> impl Iterator<Item = (Split, Position)> {
    positions
        .iter()
        .map(|position| (position.split.clone(), position.clone()))
}
