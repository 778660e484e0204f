//! A source, a sink and a ledger in memory, for tests, for examples, and for sinks of your own.

mod ledger;

use std::sync::{Arc, Mutex, PoisonError};

use async_stream::try_stream;
use bytes::Bytes;
use futures::Stream;
use futures::stream::StreamExt;

use crate::contract::{
    Batch, BatchStream, Checkpoint, Commit, Counts, Mark, Origin, Position, Record, Reject, Result, Sink, Source,
    Split, SplitState, Topology,
};

pub use ledger::MemoryLedger;

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
    ledger: MemoryLedger,
    durable: Arc<Mutex<Durable<T>>>,
}

#[derive(Debug)]
struct Durable<T> {
    epoch: u64,
    records: Vec<Record<T>>,
    rejects: Vec<Reject>,
    counts: Counts,
}

impl<T> Clone for MemorySink<T> {
    fn clone(&self) -> Self {
        Self {
            ledger: self.ledger.clone(),
            durable: self.durable.clone(),
        }
    }
}

impl<T> MemorySink<T> {
    /// An empty sink for the pipeline of that name.
    pub fn new(pipeline: impl Into<Arc<str>>) -> Self {
        Self {
            ledger: MemoryLedger::new(pipeline),
            durable: Arc::new(Mutex::new(Durable {
                epoch: 0,
                records: Vec::new(),
                rejects: Vec::new(),
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
        self.ledger.all_positions()
    }
}

impl<T> Durable<T> {
    fn commit(&mut self, batch: Batch<T>) -> Commit {
        self.epoch += 1;
        let commit = Commit::of(self.epoch, &batch);
        self.counts += commit.counts;
        self.records.extend(batch.records);
        self.rejects.extend(batch.rejects);
        commit
    }
}

impl<T: Send + 'static> Sink<T> for MemorySink<T> {
    async fn ledger(&mut self, _: &Topology) -> Result<Checkpoint> {
        Ok(Arc::new(self.ledger.clone()))
    }

    fn commit(self, input: impl BatchStream<T> + 'static) -> impl Stream<Item = Result<Commit>> + Send {
        input.filter_map(move |batch| {
            let commit = match batch {
                Ok(batch) if batch.is_empty() => None,
                Ok(batch) => Some(Ok(self.durable(|durable| {
                    self.ledger.commit(&batch.positions, &batch.state);
                    durable.commit(batch)
                }))),
                Err(err) => Some(Err(err)),
            };
            async { commit }
        })
    }
}
