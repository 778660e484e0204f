//! Sinks: the part of a pipeline that makes batches durable.

use std::future::Future;
use std::ops::AddAssign;

use futures::Stream;

use super::batch::{Batch, BatchStream};
use super::error::Result;
use super::ledger::Checkpoint;
use super::split::Position;
use super::stage_durations::StageDurations;
use super::times::Times;
use super::topology::Topology;

/// Makes batches durable, in order, each as a whole or not at all.
///
/// The runner calls [`ledger`](Self::ledger) once, opens the source from it, and then calls [`commit`](Self::commit). A sink keeps
/// these rules:
/// - The positions and the state changes of a batch become durable in the same transaction as its records and rejects.
/// - Batches become durable in the order in which they come. Several may share one transaction.
/// - What the ledger returns at the next start is exactly what was committed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not store records of type `{In}`",
    label = "not a sink of `{In}`",
    note = "turn the records into what the sink stores by `map`, or tell the sink how to store them"
)]
pub trait Sink<In: Send>: Send + Sized {
    /// Prepares the sink for the pipeline and returns what it already knows to be durable.
    ///
    /// This may take long: a sink that only one instance may write to waits here for its turn. Safe to cancel.
    fn ledger(&mut self, topology: &Topology) -> impl Future<Output = Result<Checkpoint>> + Send;

    /// Makes `input` durable and yields the commits, in order.
    ///
    /// When `input` ends, everything that has arrived is committed before the stream ends. Transient failures are retried inside. An
    /// error that comes out is final; a prefix of the input is durable then. Dropping the stream leaves a prefix too.
    fn commit(self, input: impl BatchStream<In> + 'static) -> impl Stream<Item = Result<Commit>> + Send;
}

/// What one transaction of a sink made durable.
///
/// ```
/// use ecom_stream::{Batch, Commit};
///
/// let commit = Commit::of(7, &Batch::<String>::default());
/// assert_eq!((commit.epoch, commit.counts.stored), (7, 0));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// The number of the epoch: one more than that of the commit before, also across runs if the sink remembers it.
    pub epoch: u64,
    /// How far each split is durable after this commit.
    pub positions: Vec<Position>,
    /// What happened to the records.
    pub counts: Counts,
    /// Roughly how many bytes of input it stands for: the sum over its batches.
    pub bytes: u64,
    /// How old the data are: the times of its batches, merged.
    pub times: Times,
    /// How long each stage of the epoch took, from its first batch to its commit. The sink chooses the names of the stages.
    pub stages: StageDurations,
}

impl Commit {
    /// A commit of that number, with nothing in it yet.
    pub fn new(epoch: u64) -> Self {
        Self {
            epoch,
            positions: Vec::new(),
            counts: Counts::default(),
            bytes: 0,
            times: Times::default(),
            stages: StageDurations::default(),
        }
    }

    /// The commit of a batch that was stored whole, with no duplicates in it.
    pub fn of<T>(epoch: u64, batch: &Batch<T>) -> Self {
        Self {
            positions: batch.positions.clone(),
            counts: Counts::of(batch),
            bytes: batch.bytes as u64,
            times: batch.times,
            ..Self::new(epoch)
        }
    }
}

/// What happened to the records that were read. As long as no transform makes several records from one,
/// *read = stored + duplicates + rejected + filtered* always holds.
///
/// ```
/// use ecom_stream::Counts;
///
/// let mut counts = Counts::default().with_read(5).with_stored(4);
/// assert!(!counts.is_balanced());
/// counts.rejected = 1;
/// assert!(counts.is_balanced());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Records that came out of the source.
    pub read: u64,
    /// Records that the sink stored and did not have before.
    pub stored: u64,
    /// Records that the sink had already.
    pub duplicates: u64,
    /// Records that can't be used and were stored among the dead letters.
    pub rejected: u64,
    /// Records that a transform left out on purpose.
    pub filtered: u64,
}

impl Counts {
    /// The counts of a batch that is stored as a whole, with no duplicates in it.
    pub fn of<T>(batch: &Batch<T>) -> Self {
        Self {
            read: batch.counts.iter().map(|count| count.read).sum(),
            stored: batch.records.len() as u64,
            duplicates: 0,
            rejected: batch.rejects.len() as u64,
            filtered: batch.counts.iter().map(|count| count.filtered).sum(),
        }
    }

    /// The same with so many records read.
    #[must_use]
    pub fn with_read(mut self, read: u64) -> Self {
        self.read = read;
        self
    }

    /// The same with so many records stored.
    #[must_use]
    pub fn with_stored(mut self, stored: u64) -> Self {
        self.stored = stored;
        self
    }

    /// The same with so many duplicates.
    #[must_use]
    pub fn with_duplicates(mut self, duplicates: u64) -> Self {
        self.duplicates = duplicates;
        self
    }

    /// The same with so many records rejected.
    #[must_use]
    pub fn with_rejected(mut self, rejected: u64) -> Self {
        self.rejected = rejected;
        self
    }

    /// The same with so many records filtered.
    #[must_use]
    pub fn with_filtered(mut self, filtered: u64) -> Self {
        self.filtered = filtered;
        self
    }

    /// Whether every record that was read is accounted for.
    pub fn is_balanced(&self) -> bool {
        self.read == self.stored + self.duplicates + self.rejected + self.filtered
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.stored += other.stored;
        self.duplicates += other.duplicates;
        self.rejected += other.rejected;
        self.filtered += other.filtered;
    }
}
