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

impl<T> Batch<T> {
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
