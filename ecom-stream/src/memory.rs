//! A source and a sink in memory, for tests and for examples.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_stream::try_stream;
use bytes::Bytes;
use futures::Stream;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, BoxStream, StreamExt};

use crate::{
    Alike, Batch, BatchStream, Checkpoint, Commit, Counts, Ledger, MAX_UNFINISHED, Mark, Origin, Position, Record,
    Reject, Result, Sink, Source, Split, SplitState, StateChange, Topology,
};

/// Reads values from a vector, as one split whose offsets are indices.
#[derive(Debug, Clone)]
pub struct MemorySource<T> {
    name: String,
    values: Vec<T>,
    max_batch_rows: usize,
}

impl<T> MemorySource<T> {
    /// A source of that name.
    pub fn new(name: impl Into<String>, values: Vec<T>) -> Self {
        Self {
            name: name.into(),
            values,
            max_batch_rows: 1_024,
        }
    }

    /// Cuts the values into batches of at most `rows`.
    #[must_use]
    pub fn max_batch_rows(mut self, rows: usize) -> Self {
        self.max_batch_rows = rows.max(1);
        self
    }
}

impl<T: Send + 'static> Source for MemorySource<T> {
    type Item = T;
    type Ack = ();

    fn describe(&self, topology: &mut Topology) {
        topology.add_source(self.name.clone(), "memory");
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<T>, ()) {
        let split = Split::new(self.name, "values");
        let stream = try_stream! {
            let known = from.positions(std::slice::from_ref(&split)).await?;
            let start = known.first().map_or(0, |position| position.record);
            let total = self.values.len() as u64;
            let mut values = (start..).zip(self.values.into_iter().skip(start as usize));
            let mut done = start;
            while done < total {
                let records: Vec<_> = values
                    .by_ref()
                    .take(self.max_batch_rows)
                    .map(|(index, value)| Record {
                        value,
                        origin: Some(Origin {
                            split: split.clone(),
                            record: index + 1,
                            byte_offset: index,
                            raw: Bytes::new(),
                        }),
                    })
                    .collect();
                done += records.len() as u64;
                let mut batch = Batch {
                    bytes: records.len() * size_of::<T>(),
                    positions: vec![Position {
                        split: split.clone(),
                        offset: done,
                        record: done,
                        state: if done == total { SplitState::Finished } else { SplitState::Open },
                        mark: Mark::NONE,
                    }],
                    ..Batch::default()
                };
                batch.count_of(&split).read = records.len() as u64;
                batch.records = records;
                yield batch;
            }
        };
        (stream, ())
    }
}

/// Keeps what is committed; each batch is an epoch. Clones share it, so that a test keeps one to look into, and can run
/// another pipeline that goes on where the first ended.
#[derive(Debug)]
pub struct MemorySink<T> {
    pipeline: Arc<str>,
    durable: Arc<Mutex<Durable<T>>>,
}

#[derive(Debug)]
struct Durable<T> {
    epoch: u64,
    records: Vec<Record<T>>,
    rejects: Vec<Reject>,
    /// By source and path, by generation.
    positions: BTreeMap<(String, String), BTreeMap<u32, Position>>,
    state: HashMap<(Arc<str>, Vec<u8>), StateChange>,
    counts: Counts,
}

impl<T> Clone for MemorySink<T> {
    fn clone(&self) -> Self {
        Self {
            pipeline: self.pipeline.clone(),
            durable: self.durable.clone(),
        }
    }
}

impl<T> MemorySink<T> {
    /// An empty sink for the pipeline of that name.
    pub fn new(pipeline: impl Into<Arc<str>>) -> Self {
        Self {
            pipeline: pipeline.into(),
            durable: Arc::new(Mutex::new(Durable {
                epoch: 0,
                records: Vec::new(),
                rejects: Vec::new(),
                positions: BTreeMap::new(),
                state: HashMap::new(),
                counts: Counts::default(),
            })),
        }
    }

    fn durable<R>(&self, f: impl FnOnce(&mut Durable<T>) -> R) -> R {
        // A commit either has not begun or is whole: the data are sound even if another thread panicked.
        f(&mut self.durable.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The records that were committed, in order.
    pub fn records(&self) -> Vec<Record<T>>
    where
        T: Clone,
    {
        self.durable(|durable| durable.records.clone())
    }

    /// The values of the records that were committed, in order.
    pub fn values(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.durable(|durable| durable.records.iter().map(|record| record.value.clone()).collect())
    }

    /// The rejects that were committed, in order.
    pub fn rejects(&self) -> Vec<Reject> {
        self.durable(|durable| durable.rejects.clone())
    }

    /// What became of all records so far.
    pub fn counts(&self) -> Counts {
        self.durable(|durable| durable.counts)
    }

    /// How far each split is durable, in the order of their names.
    pub fn positions(&self) -> Vec<Position> {
        let mut positions: Vec<_> = self.durable(|durable| durable.newest().cloned().collect());
        positions.sort_by(|a, b| a.split.cmp(&b.split));
        positions
    }
}

impl<T> Durable<T> {
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

    fn commit(&mut self, batch: Batch<T>) -> Commit {
        let mut counts = Counts {
            stored: batch.records.len() as u64,
            rejected: batch.rejects.len() as u64,
            ..Counts::default()
        };
        for count in &batch.counts {
            counts.read += count.read;
            counts.filtered += count.filtered;
        }
        self.counts += counts;
        self.records.extend(batch.records);
        self.rejects.extend(batch.rejects);
        for position in &batch.positions {
            let split = &position.split;
            let generations = self.positions.entry((split.source().into(), split.path().into()));
            generations.or_default().insert(split.generation(), position.clone());
        }
        for change in batch.state {
            let entry = (change.operator.clone(), change.key.clone());
            match change.value {
                Some(_) => self.state.insert(entry, change),
                None => self.state.remove(&entry),
            };
        }
        self.epoch += 1;
        let mut commit = Commit::new(self.epoch);
        commit.positions = batch.positions;
        commit.counts = counts;
        commit.bytes = batch.bytes as u64;
        commit.times = batch.times;
        commit
    }
}

/// What a mark says for [`Ledger::alike`] and [`Ledger::finished`].
#[derive(serde::Deserialize)]
struct Likeness {
    size: u64,
    #[serde(default)]
    digest: String,
}

impl<T: Send + 'static> Ledger for MemorySink<T> {
    fn pipeline(&self) -> &str {
        &self.pipeline
    }

    fn positions<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Position>>> {
        async move {
            Ok(self.durable(|durable| {
                of.iter()
                    .filter_map(|split| durable.positions.get(&(split.source().into(), split.path().into())))
                    .filter_map(|generations| generations.values().last())
                    .cloned()
                    .collect()
            }))
        }
        .boxed()
    }

    fn alike<'a>(&'a self, source: &'a str, sizes: &'a [u64]) -> BoxFuture<'a, Result<Alike>> {
        async move {
            Ok(self.durable(|durable| {
                let is_unfinished = |state: &SplitState| matches!(state, SplitState::Open | SplitState::Damaged(_));
                let unfinished = durable
                    .of_source(source)
                    .filter(|position| is_unfinished(&position.state));
                let finished = durable.finished(source).map(|(like, _)| like.size);
                Alike {
                    unfinished: unfinished.take(MAX_UNFINISHED).cloned().collect(),
                    finished_sizes: finished.filter(|size| sizes.contains(size)).collect(),
                }
            }))
        }
        .boxed()
    }

    fn finished<'a>(&'a self, source: &'a str, of: &'a [(u64, String)]) -> BoxFuture<'a, Result<Vec<Position>>> {
        async move {
            Ok(self.durable(|durable| {
                let finished = durable.finished(source);
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
        let entries: Vec<_> = self.durable(|durable| {
            let of_operator = durable.state.values().filter(|entry| &*entry.operator == operator);
            of_operator.cloned().map(Ok).collect()
        });
        stream::iter(entries).boxed()
    }
}

impl<T: Send + 'static> Sink<T> for MemorySink<T> {
    async fn ledger(&mut self, _: &Topology) -> Result<Checkpoint> {
        Ok(Arc::new(self.clone()))
    }

    fn commit(self, input: impl BatchStream<T> + 'static) -> impl Stream<Item = Result<Commit>> + Send {
        input.filter_map(move |batch| {
            let commit = match batch {
                Ok(batch) if batch.is_empty() => None,
                Ok(batch) => Some(Ok(self.durable(|durable| durable.commit(batch)))),
                Err(err) => Some(Err(err)),
            };
            async { commit }
        })
    }
}
