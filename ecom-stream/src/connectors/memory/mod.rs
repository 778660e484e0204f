//! A source, a sink and a ledger in memory, for tests, for examples, and for sinks of your own.
//!
//! They keep the whole contract, so that a pipeline of them behaves like one of files and a database: runs resume, crashes
//! lose nothing, and counts balance.
//!
//! ```
//! use ecom_stream::SourceExt;
//! use ecom_stream::memory::{MemorySink, MemorySource};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
//! let sink = MemorySink::new("squares");
//! let numbers = MemorySource::new("numbers", vec![1, 2, 3]);
//! let summary = numbers.map(|n| n * n).to(sink.clone()).run().await?;
//! assert_eq!((sink.values(), summary.counts.stored), (vec![1, 4, 9], 3));
//!
//! // The source has two more values: the next run goes on after the third.
//! let numbers = MemorySource::new("numbers", vec![1, 2, 3, 4, 5]);
//! numbers.map(|n| n * n).to(sink.clone()).run().await?;
//! assert_eq!(sink.values(), [1, 4, 9, 16, 25]);
//! # Ok(()) }
//! ```

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

/// A source that reads values from a vector.
///
/// The vector is one split with the path `values`. The offset of a position is the number of values before it, and the
/// record number of a value is its index + 1. The split finishes with the last value, so a later run with a longer vector
/// under the same name reads what was added.
///
/// ```
/// use ecom_stream::SourceExt;
/// use ecom_stream::memory::{MemorySink, MemorySource};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let source = MemorySource::new("numbers", (0..100).collect()).max_batch_rows(30);
/// let sink = MemorySink::<i32>::new("doc");
/// // The sink commits each batch on its own: 30, 30, 30 and 10 values.
/// assert_eq!(source.to(sink).run().await?.epochs, 4);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct MemorySource<T> {
    name: String,
    values: Vec<T>,
    max_batch_rows: usize,
}

impl<T> MemorySource<T> {
    /// A source over `values` with that name, under which the ledger keeps its position.
    pub fn new(name: impl Into<String>, values: Vec<T>) -> Self {
        Self {
            name: name.into(),
            values,
            max_batch_rows: 1_024,
        }
    }

    /// Sets the largest number of values in a batch. At least 1; the default is 1,024.
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

/// A sink that keeps the committed records in memory. Each batch that is not empty is an epoch.
///
/// Clones share one store. A test keeps a clone to look at the records, and runs a second pipeline into another clone, which
/// resumes where the first one ended.
///
/// ```
/// use ecom_stream::SourceExt;
/// use ecom_stream::memory::{MemorySink, MemorySource};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let sink = MemorySink::new("doc");
/// MemorySource::new("numbers", vec![7, 8]).filter(|n| n % 2 == 0).to(sink.clone()).run().await?;
/// assert_eq!(sink.values(), [8]);
/// assert_eq!((sink.counts().read, sink.counts().filtered), (2, 1));
/// assert_eq!(sink.positions()[0].record, 2);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MemorySink<T> {
    ledger: MemoryLedger,
    durable: Arc<Mutex<Durable<T>>>,
}

/// Everything that is committed, but for the ledger.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
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
    ///
    /// The name is part of the ids of events that have none of their own.
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
        // A commit is complete or not begun, so the data are valid even if a holder of the lock panicked.
        f(&mut self.durable.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The committed records, in order, with their origin.
    pub fn records(&self) -> Vec<Record<T>>
    where
        T: Clone,
    {
        self.durable(|durable| durable.records.clone())
    }

    /// The values of the committed records, in order.
    pub fn values(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.durable(|durable| durable.records.iter().map(|record| record.value.clone()).collect())
    }

    /// The committed rejects, in order.
    ///
    /// ```
    /// use ecom_stream::memory::{MemorySink, MemorySource};
    /// use ecom_stream::{CsvRecord, Event, Header, Rules, SourceExt};
    /// use std::sync::Arc;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let header = Arc::new(Header::new(["event_time", "event_type", "user_id", "session_id", "product_id"]));
    /// let record = CsvRecord::new(header, ["yesterday", "view", "u1", "s1", "p1"]).unwrap();
    /// let sink = MemorySink::<Event>::new("doc");
    /// MemorySource::new("rows", vec![record]).validate(Rules::default()).to(sink.clone()).run().await?;
    /// let rejects = sink.rejects();
    /// assert_eq!((sink.values().len(), rejects.len()), (0, 1));
    /// # Ok(()) }
    /// ```
    pub fn rejects(&self) -> Vec<Reject> {
        self.durable(|durable| durable.rejects.clone())
    }

    /// How many records were read, stored, rejected and filtered, over all commits.
    pub fn counts(&self) -> Counts {
        self.durable(|durable| durable.counts)
    }

    /// The position of the newest generation of each split, ordered by split.
    pub fn positions(&self) -> Vec<Position> {
        self.ledger.all_positions()
    }
}

#[cfg(test)]
impl<T: Clone> MemorySink<T> {
    /// A copy of what is committed, which further commits do not change.
    pub(crate) fn backup(&self) -> Self {
        Self {
            ledger: self.ledger.backup(),
            durable: Arc::new(Mutex::new(self.durable(|durable| durable.clone()))),
        }
    }

    /// Goes back to what was committed when the backup was taken.
    pub(crate) fn restore(&self, backup: &Self) {
        self.ledger.restore(&backup.ledger);
        let then = backup.durable(|durable| durable.clone());
        self.durable(|durable| *durable = then);
    }
}

impl<T> Durable<T> {
    /// Makes a batch durable.
    fn commit(&mut self, batch: Batch<T>) -> Commit {
        self.epoch += 1;
        let commit = Commit::of(self.epoch, &batch);
        self.counts += commit.counts;
        self.records.extend(batch.records);
        self.rejects.extend(batch.rejects);
        commit
    }

    /// Takes away the rejects of a split, and its counts.
    fn withdraw(&mut self, split: &Split, counts: Counts) {
        self.rejects
            .retain(|reject| reject.origin.as_ref().is_none_or(|origin| origin.split != *split));
        self.counts.read -= counts.read;
        self.counts.rejected -= counts.rejected;
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
                    self.ledger.count(&batch);
                    let withdrawn = batch.positions.iter();
                    for position in withdrawn.filter(|position| position.state == SplitState::Withdrawn) {
                        durable.withdraw(&position.split, self.ledger.withdraw(&position.split));
                    }
                    durable.commit(batch)
                }))),
                Err(err) => Some(Err(err)),
            };
            async { commit }
        })
    }
}
