use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, BoxStream, StreamExt};

use crate::contract::{
    Ledger, MAX_UNFINISHED_CANDIDATES, Position, Result, Split, SplitCandidates, SplitState, StateChange,
};

/// A ledger in memory: all that a sink must know of positions and operator state, for sinks of your own that keep them in a
/// file and read them back at the start. [`Position`] and [`StateChange`] can be serialized for that. Clones share it.
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
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// By source and path, by generation.
    positions: BTreeMap<(String, String), BTreeMap<u32, Position>>,
    state: HashMap<(Arc<str>, Vec<u8>), StateChange>,
}

impl MemoryLedger {
    /// The empty ledger of the pipeline of that name.
    pub fn new(pipeline: impl Into<Arc<str>>) -> Self {
        Self {
            pipeline: pipeline.into(),
            known: Arc::default(),
        }
    }

    /// Takes note of what a commit made durable.
    pub fn commit(&self, positions: &[Position], state: &[StateChange]) {
        self.known(|known| {
            for position in positions {
                let split = &position.split;
                let generations = known.positions.entry((split.source().into(), split.path().into()));
                generations.or_default().insert(split.generation(), position.clone());
            }
            for change in state {
                let entry = (change.operator.clone(), change.key.clone());
                match change.value {
                    Some(_) => known.state.insert(entry, change.clone()),
                    None => known.state.remove(&entry),
                };
            }
        });
    }

    /// How far each split is durable, in the order of their names.
    pub fn all_positions(&self) -> Vec<Position> {
        let mut positions: Vec<_> = self.known(|known| known.newest().cloned().collect());
        positions.sort_by(|a, b| a.split.cmp(&b.split));
        positions
    }

    fn known<R>(&self, f: impl FnOnce(&mut Known) -> R) -> R {
        // What is known is sound even if another thread panicked.
        f(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    fn of_source(&self, source: &str) -> impl Iterator<Item = &Position> {
        let positions = self.positions.values().flat_map(BTreeMap::values);
        positions.filter(move |position| position.split.source() == source)
    }

    fn finished(&self, source: &str) -> impl Iterator<Item = (Likeness, &Position)> {
        let finished = self
            .of_source(source)
            .filter(|position| position.state == SplitState::Finished);
        finished.filter_map(|position| Some((serde_json::from_str(position.mark.as_json()?).ok()?, position)))
    }

    /// The last generation of each split.
    fn newest(&self) -> impl Iterator<Item = &Position> {
        self.positions
            .values()
            .filter_map(|generations| generations.values().last())
    }
}

/// What a mark says for [`Ledger::candidates`] and [`Ledger::finished_by_digest`].
#[derive(serde::Deserialize)]
struct Likeness {
    size: u64,
    #[serde(default)]
    digest: String,
}

impl Ledger for MemoryLedger {
    fn pipeline(&self) -> &str {
        &self.pipeline
    }

    fn positions<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Position>>> {
        async move {
            Ok(self.known(|known| {
                of.iter()
                    .filter_map(|split| known.positions.get(&(split.source().into(), split.path().into())))
                    .filter_map(|generations| generations.values().last())
                    .cloned()
                    .collect()
            }))
        }
        .boxed()
    }

    fn candidates<'a>(&'a self, source: &'a str, sizes: &'a [u64]) -> BoxFuture<'a, Result<SplitCandidates>> {
        async move {
            Ok(self.known(|known| {
                let is_unfinished = |state: &SplitState| matches!(state, SplitState::Open | SplitState::Damaged(_));
                let unfinished = known
                    .of_source(source)
                    .filter(|position| is_unfinished(&position.state));
                let finished = known.finished(source).map(|(like, _)| like.size);
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
            Ok(self.known(|known| {
                let finished = known.finished(source);
                let same = finished.filter(|(like, _)| {
                    of.iter()
                        .any(|(size, digest)| (like.size, &like.digest) == (*size, digest))
                });
                same.map(|(_, position)| position.clone()).collect()
            }))
        }
        .boxed()
    }

    fn state<'a>(&'a self, operator: &'a str) -> BoxStream<'a, Result<StateChange>> {
        let entries: Vec<_> = self.known(|known| {
            let of_operator = known.state.values().filter(|entry| &*entry.operator == operator);
            of_operator.cloned().map(Ok).collect()
        });
        stream::iter(entries).boxed()
    }
}
