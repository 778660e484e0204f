//! The batch: the unit that becomes durable as a whole, and the records and state changes in it.

use std::sync::Arc;

use futures::Stream;
use serde::{Deserialize, Serialize};

use super::error::Result;
use super::origin::Origin;
use super::refusal::Refusal;
use super::reject::Reject;
use super::split::{Position, Split};
use super::times::Times;

/// A stream of batches. It is implemented for every `Stream` with the item `Result<Batch<T>>` that is `Send`.
///
/// An error is the last item of such a stream.
pub trait BatchStream<T>: Stream<Item = Result<Batch<T>>> + Send {}

impl<T, S: Stream<Item = Result<Batch<T>>> + Send> BatchStream<T> for S {}

/// Everything that must become durable together: records, rejected records, changes of operator state, and how far the source
/// has read.
///
/// A sink makes a batch durable whole or not at all. Transforms may merge batches but never split one, because half of it could
/// then be committed without the other half. An empty batch is allowed.
///
/// ```text
///         records    what the sink stores
///         rejects    records that can't be used, for the dead letters
/// Batch   state      what operators must remember after this batch
///         positions  how far each split is read after this batch
///         counts     how many records were read and filtered out
/// ```
///
/// ```
/// use ecom_stream::{Batch, Split};
///
/// let mut batch = Batch::<String>::default();
/// assert!(batch.is_empty());
///
/// batch.count_of(&Split::new("csv", "a.csv")).read = 2;
/// assert!(!batch.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch<T> {
    /// The records.
    pub records: Vec<Record<T>>,
    /// The records that can't be used, each with its reason.
    pub rejects: Vec<Reject>,
    /// What operators have to remember from here on.
    pub state: Vec<StateChange>,
    /// How far each split is read once this batch is durable.
    pub positions: Vec<Position>,
    /// How many records were read and filtered out, per split.
    pub counts: Vec<SplitCount>,
    /// Roughly how many bytes of input the batch stands for. Queues are bounded by it.
    pub bytes: usize,
    /// How old the data of the batch are.
    pub times: Times,
}

/// A value and the place in the input that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<T> {
    /// The value.
    pub value: T,
    /// Where the value was read; `None` for a value that a transform made from several records.
    pub origin: Option<Origin>,
}

/// A change of one entry of an operator's state: a new value, or a deletion.
///
/// A sink stores it under the operator and the key, in the transaction that stores the positions of the same batch. The ledger
/// gives every entry back when the operator starts again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StateChange {
    /// The name that the user gave the operator, unique in the pipeline.
    pub operator: Arc<str>,
    /// The key of the entry.
    pub key: Vec<u8>,
    /// The version of the format of `value`, so that a later version of the operator can read it.
    pub format: u16,
    /// The new value, or `None` to delete the entry.
    pub value: Option<Vec<u8>>,
}

/// How many records of one split a batch stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SplitCount {
    /// The split.
    pub split: Split,
    /// Records that were read, whatever happened to them afterwards.
    pub read: u64,
    /// Records that a transform left out on purpose.
    pub filtered: u64,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            rejects: Vec::new(),
            state: Vec::new(),
            positions: Vec::new(),
            counts: Vec::new(),
            bytes: 0,
            times: Times::default(),
        }
    }
}

impl<T> Record<T> {
    /// A value that was read at `origin`; `None` for one that a transform made of several records.
    pub fn new(value: T, origin: impl Into<Option<Origin>>) -> Self {
        Self {
            value,
            origin: origin.into(),
        }
    }
}

impl StateChange {
    /// Sets the entry of `operator` under `key` to `value`, or deletes it where that is `None`.
    pub fn new(operator: impl Into<Arc<str>>, key: Vec<u8>, format: u16, value: Option<Vec<u8>>) -> Self {
        Self {
            operator: operator.into(),
            key,
            format,
            value,
        }
    }
}

impl SplitCount {
    /// So many records of `split` were read, and none of them was filtered.
    pub fn new(split: Split, read: u64) -> Self {
        Self {
            split,
            read,
            filtered: 0,
        }
    }

    /// So many of them were left out on purpose.
    #[must_use]
    pub fn with_filtered(mut self, filtered: u64) -> Self {
        self.filtered = filtered;
        self
    }
}

impl<T> Batch<T> {
    /// A batch of these records and nothing else. A source adds positions and counts.
    ///
    /// ```
    /// use ecom_stream::{Batch, Origin, Position, Record, Split};
    ///
    /// let split = Split::new("numbers", "all");
    /// let records = (1..=3).map(|n: u64| Record::new(n, Origin::new(split.clone(), n, n - 1, n.to_string())));
    /// let mut batch = Batch::new(records.collect()).with_positions(vec![Position::new(split.clone(), 3, 3)]);
    /// batch.count_of(&split).read += 3;
    /// assert_eq!(batch.records[2].origin.as_ref().unwrap().raw, "3");
    /// ```
    pub fn new(records: Vec<Record<T>>) -> Self {
        Self {
            records,
            ..Self::default()
        }
    }

    /// The same batch with these rejects.
    #[must_use]
    pub fn with_rejects(mut self, rejects: Vec<Reject>) -> Self {
        self.rejects = rejects;
        self
    }

    /// The same batch with these changes of operator state.
    #[must_use]
    pub fn with_state(mut self, state: Vec<StateChange>) -> Self {
        self.state = state;
        self
    }

    /// The same batch with these positions.
    #[must_use]
    pub fn with_positions(mut self, positions: Vec<Position>) -> Self {
        self.positions = positions;
        self
    }

    /// The same batch with these counts.
    #[must_use]
    pub fn with_counts(mut self, counts: Vec<SplitCount>) -> Self {
        self.counts = counts;
        self
    }

    /// The same batch, which stands for so many bytes of input.
    #[must_use]
    pub fn with_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// The same batch with the times of its data.
    #[must_use]
    pub fn with_times(mut self, times: Times) -> Self {
        self.times = times;
        self
    }

    /// Whether nothing has to become durable.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.rejects.is_empty()
            && self.state.is_empty()
            && self.positions.is_empty()
            && self.counts.is_empty()
    }

    /// Applies `f` to each record and keeps everything else. `f` returns a value to keep, `None` to filter the record out, or the
    /// refusal that makes it a reject.
    ///
    /// All transforms that make at most one record from one record are built on this, so the balance
    /// *read = stored + duplicates + rejected + filtered* is kept in one place. A record without an origin that is filtered out is
    /// not counted, because there is no split to count it for.
    pub fn try_filter_map<U>(self, mut f: impl FnMut(T, Option<&Origin>) -> Result<Option<U>, Refusal>) -> Batch<U> {
        let mut out = Batch {
            records: Vec::with_capacity(self.records.len()),
            rejects: self.rejects,
            state: self.state,
            positions: self.positions,
            counts: self.counts,
            bytes: self.bytes,
            times: self.times,
        };
        for Record { value, origin } in self.records {
            match f(value, origin.as_ref()) {
                Ok(Some(value)) => out.records.push(Record { value, origin }),
                Ok(None) => {
                    if let Some(origin) = &origin {
                        out.count_of(&origin.split).filtered += 1;
                    }
                }
                Err(refusal) => out.rejects.push(Reject::new(origin, refusal)),
            }
        }
        out
    }

    /// The counts of `split` in this batch; they are added, as zeros, if the batch has none for it yet.
    pub fn count_of(&mut self, split: &Split) -> &mut SplitCount {
        // A batch has records of one split, rarely of a few, so a search from the end is faster than a map.
        let at = match self.counts.iter().rposition(|count| count.split == *split) {
            Some(at) => at,
            None => {
                self.counts.push(SplitCount {
                    split: split.clone(),
                    read: 0,
                    filtered: 0,
                });
                self.counts.len() - 1
            }
        };
        &mut self.counts[at]
    }
}
