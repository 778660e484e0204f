//! A ledger in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, BoxStream, StreamExt};

use crate::contract::{
    Batch, Counts, Ledger, MAX_UNFINISHED_CANDIDATES, Position, Result, Split, SplitCandidates, SplitCount, SplitState,
    StateChange,
};

/// A [`Ledger`] in memory. Clones share one ledger.
///
/// It helps to write a sink that keeps its positions and operator state in a file, say: at the start the sink reads them back
/// and passes them to [`commit`](Self::commit), and the ledger answers all questions of the sources and operators from then on.
/// [`Position`] and [`StateChange`] implement serde's traits for that.
///
/// ```
/// use ecom_stream::memory::MemoryLedger;
/// use ecom_stream::{Ledger, Mark, Position, Split, SplitState};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let ledger = MemoryLedger::new("numbers");
/// let split = Split::new("counter", "all");
/// let position = Position::new(split.clone(), 7, 7);
/// ledger.commit(&[position.clone()], &[]);
/// assert_eq!(ledger.positions(&[split]).await?, [position]);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct MemoryLedger {
    pipeline: Arc<str>,
    ledger: Arc<Mutex<LedgerState>>,
}

/// What is durable.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
struct LedgerState {
    /// By source and path, then by generation.
    positions: BTreeMap<(String, String), BTreeMap<u32, Position>>,
    state: HashMap<(Arc<str>, Vec<u8>), StateChange>,
    /// What became of the records of each split, if a [`MemorySink`](super::MemorySink) writes the ledger.
    counts: HashMap<Split, Counts>,
}

impl MemoryLedger {
    /// An empty ledger for the pipeline of that name.
    pub fn new(pipeline: impl Into<Arc<str>>) -> Self {
        Self {
            pipeline: pipeline.into(),
            ledger: Arc::default(),
        }
    }

    /// Adds the positions and state changes of a commit. Call it once they are durable, with those of each commit in order.
    /// A change without a value removes its entry.
    pub fn commit(&self, positions: &[Position], state: &[StateChange]) {
        self.locked(|ledger| {
            for position in positions {
                let split = &position.split;
                let generations = ledger.positions.entry((split.source().into(), split.path().into()));
                generations.or_default().insert(split.generation(), position.clone());
            }
            for change in state {
                let entry = (change.operator.clone(), change.key.clone());
                match change.value {
                    Some(_) => ledger.state.insert(entry, change.clone()),
                    None => ledger.state.remove(&entry),
                };
            }
        });
    }

    /// Counts the records of a batch for their splits.
    pub(super) fn count<T>(&self, batch: &Batch<T>) {
        self.locked(|ledger| {
            for SplitCount { split, read, filtered } in &batch.counts {
                let counts = ledger.counts.entry(split.clone()).or_default();
                (counts.read, counts.filtered) = (counts.read + read, counts.filtered + filtered);
            }
            for origin in batch.records.iter().filter_map(|record| record.origin.as_ref()) {
                ledger.counts.entry(origin.split.clone()).or_default().stored += 1;
            }
            for origin in batch.rejects.iter().filter_map(|reject| reject.origin.as_ref()) {
                ledger.counts.entry(origin.split.clone()).or_default().rejected += 1;
            }
        });
    }

    /// Takes away the counts of a split that is withdrawn.
    pub(super) fn withdraw(&self, split: &Split) -> Counts {
        self.locked(|ledger| ledger.counts.remove(split)).unwrap_or_default()
    }

    /// The position of the newest generation of each split, ordered by split.
    pub fn all_positions(&self) -> Vec<Position> {
        let mut positions: Vec<_> = self.locked(|ledger| ledger.newest().cloned().collect());
        positions.sort_by(|a, b| a.split.cmp(&b.split));
        positions
    }

    fn locked<R>(&self, f: impl FnOnce(&mut LedgerState) -> R) -> R {
        // Every change is complete or not made, so the state is valid even if a holder of the lock panicked.
        f(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
impl MemoryLedger {
    /// A copy that further commits do not change.
    pub(crate) fn backup(&self) -> Self {
        Self {
            pipeline: self.pipeline.clone(),
            ledger: Arc::new(Mutex::new(self.locked(|ledger| ledger.clone()))),
        }
    }

    /// Goes back to the state of the backup.
    pub(crate) fn restore(&self, backup: &Self) {
        let then = backup.locked(|ledger| ledger.clone());
        self.locked(|ledger| *ledger = then);
    }
}

impl LedgerState {
    /// Every position of a source, of old generations too.
    fn of_source(&self, source: &str) -> impl Iterator<Item = &Position> {
        let positions = self.positions.values().flat_map(BTreeMap::values);
        positions.filter(move |position| position.split.source() == source)
    }

    /// The finished splits of a source whose marks say what their content was.
    fn finished(&self, source: &str) -> impl Iterator<Item = (ContentId, &Position)> {
        let finished = self
            .of_source(source)
            .filter(|position| position.state == SplitState::Finished);
        finished.filter_map(|position| Some((serde_json::from_str(position.mark.as_json()?).ok()?, position)))
    }

    /// Whether records of a split were read, and every one was rejected. Operators with state filter out what they keep, so
    /// filtered records count as stored. So do records that were read under the former name of a file.
    fn is_all_rejected(&self, split: &Split) -> bool {
        let generations = self.positions.get(&(split.source().into(), split.path().into()));
        let position = generations.and_then(|generations| generations.get(&split.generation()));
        let records = position.map_or(0, |position| position.record);
        let counts = self.counts.get(split);
        counts.is_some_and(|counts| counts.read > 0 && counts.rejected == counts.read && counts.read == records)
    }

    /// Whether a split is a copy of others, and [nothing was stored](Self::is_all_rejected) of any of them.
    fn is_copy_of_rejected(&self, split: &Split) -> bool {
        let content_of = |of: &Split| self.finished(of.source()).find(|(_, position)| position.split == *of);
        // A file that was renamed has no records of its own either: they are in the split of its former name.
        let Some((content, _)) = content_of(split).filter(|(content, _)| content.copy_of.is_some()) else {
            return false;
        };
        let same = self.finished(split.source()).filter(|(other, _)| other.is(&content));
        let read: Vec<&Split> = same
            .map(|(_, position)| &position.split)
            .filter(|same| self.counts.contains_key(same))
            .collect();
        !read.is_empty() && read.into_iter().all(|same| self.is_all_rejected(same))
    }

    /// The position of the newest generation of each split.
    fn newest(&self) -> impl Iterator<Item = &Position> {
        self.positions
            .values()
            .filter_map(|generations| generations.values().last())
    }
}

/// The part of a mark that [`Ledger::candidates`] and [`Ledger::finished_by_digest`] search for.
#[derive(serde::Deserialize)]
struct ContentId {
    size: u64,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    copy_of: Option<String>,
}

impl ContentId {
    fn is(&self, other: &Self) -> bool {
        (self.size, &self.digest) == (other.size, &other.digest)
    }
}

impl Ledger for MemoryLedger {
    fn pipeline(&self) -> &str {
        &self.pipeline
    }

    fn positions<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Position>>> {
        async move {
            Ok(self.locked(|ledger| {
                of.iter()
                    .filter_map(|split| ledger.positions.get(&(split.source().into(), split.path().into())))
                    .filter_map(|generations| generations.values().last())
                    .cloned()
                    .collect()
            }))
        }
        .boxed()
    }

    fn candidates<'a>(&'a self, source: &'a str, sizes: &'a [u64]) -> BoxFuture<'a, Result<SplitCandidates>> {
        async move {
            Ok(self.locked(|ledger| {
                let is_unfinished = |state: &SplitState| matches!(state, SplitState::Open | SplitState::Damaged(_));
                let unfinished = ledger
                    .of_source(source)
                    .filter(|position| is_unfinished(&position.state));
                let finished = ledger.finished(source).map(|(content, _)| content.size);
                SplitCandidates {
                    unfinished: unfinished.take(MAX_UNFINISHED_CANDIDATES).cloned().collect(),
                    finished_sizes: finished.filter(|size| sizes.contains(size)).collect(),
                }
            }))
        }
        .boxed()
    }

    fn finished_by_digest<'a>(
        &'a self,
        source: &'a str,
        of: &'a [(u64, String)],
    ) -> BoxFuture<'a, Result<Vec<Position>>> {
        async move {
            Ok(self.locked(|ledger| {
                let finished = ledger.finished(source);
                let same = finished.filter(|(content, _)| {
                    of.iter()
                        .any(|(size, digest)| (content.size, &content.digest) == (*size, digest))
                });
                same.map(|(_, position)| position.clone()).collect()
            }))
        }
        .boxed()
    }

    fn nothing_stored<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Split>>> {
        async move {
            Ok(self.locked(|ledger| {
                let nothing_stored =
                    |split: &&Split| ledger.is_all_rejected(split) || ledger.is_copy_of_rejected(split);
                of.iter().filter(nothing_stored).cloned().collect()
            }))
        }
        .boxed()
    }

    fn state<'a>(&'a self, operator: &'a str) -> BoxStream<'a, Result<StateChange>> {
        let entries: Vec<_> = self.locked(|ledger| {
            let of_operator = ledger.state.values().filter(|entry| &*entry.operator == operator);
            of_operator.cloned().map(Ok).collect()
        });
        stream::iter(entries).boxed()
    }
}
