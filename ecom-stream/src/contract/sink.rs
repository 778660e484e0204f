//! Sinks: what makes batches durable.

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

/// Makes batches durable, in order, each whole or not at all.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not store records of type `{In}`",
    label = "not a sink of `{In}`",
    note = "turn the records into what the sink stores by `map`, or tell the sink how to store them"
)]
pub trait Sink<In: Send>: Send + Sized {
    /// Gets the sink ready for the pipeline and says what it already knows to be durable.
    ///
    /// May take long: a sink that only one instance may write to waits here for its turn. Safe to cancel.
    fn ledger(&mut self, topology: &Topology) -> impl Future<Output = Result<Checkpoint>> + Send;

    /// Makes `input` durable and yields what was committed, in order.
    ///
    /// When `input` ends, what has come in is committed before the stream ends. Transient failures are retried inside;
    /// an error that comes out is final and leaves a prefix of the input durable. Dropping the stream leaves a prefix too.
    fn commit(self, input: impl BatchStream<In> + 'static) -> impl Stream<Item = Result<Commit>> + Send;
}

/// What one transaction of a sink made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// The number of the epoch; each is one more than the last, across runs where the sink remembers it.
    pub epoch: u64,
    /// How far each split is durable now.
    pub positions: Vec<Position>,
    /// What became of the records.
    pub counts: Counts,
    /// About how many bytes of input it stands for: the sum over its batches.
    pub bytes: u64,
    /// How old the data are: the times of its batches, merged.
    pub times: Times,
    /// What the time of the epoch went into, from its first batch to its commit, by the sink's own names.
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

/// What became of records. Always *read = stored + duplicates + rejected + filtered*, as long as no transform makes
/// one record of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Records that came out of the source.
    pub read: u64,
    /// Records that the sink holds now and didn't before.
    pub stored: u64,
    /// Records that the sink held already.
    pub duplicates: u64,
    /// Records that can't be used and were put among the dead letters.
    pub rejected: u64,
    /// Records that a transform left out on purpose.
    pub filtered: u64,
}

impl Counts {
    /// What becomes of the records of a batch that is stored whole, with no duplicates in it.
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
