//! Aggregates: functions that windows compute over their records, such as [`Count`], [`Sum`] and [`TopK`].
//!
//! A tuple of aggregates is an aggregate whose result is a tuple: `(Count, Sum::of(…))` computes both in one pass. Aggregates of
//! your own implement [`Aggregate`].
//!
//! ```
//! use ecom_stream::aggregate::{Aggregate, Count, Max, Mean};
//!
//! let summary = (Count, Max::of(|n: &i32| *n), Mean::of(|n: &i32| *n));
//! assert_eq!(summary.aggregate_all([1, 2, 6]), (3, Some(6), Some(3.0)));
//! ```
//!
//! | aggregate | result | SQL | bytes in the state, for each key and window |
//! |---|---|---|---|
//! | [`Count`] | `u64` | `count(*)` | 1 to 10 |
//! | [`Sum`] | `i128` or `f64` | `sum(x)` | 1 to 19, 8 |
//! | [`Min`], [`Max`] | `Option<V>` | `min(x)`, `max(x)` | one value |
//! | [`Mean`] | `Option<f64>` | `avg(x)` | some 20 |
//! | [`Variance`] | `Option<f64>` | `var_samp(x)`, `var_pop(x)` | some 20 |
//! | [`First`], [`Last`] | `Option<V>` | `first_value(x)`, `last_value(x)` by time | one value and a time |
//! | [`TopK`] | `Vec<V>` | `array_agg(x ORDER BY x DESC LIMIT k)` | up to k values |
//! | [`Collect`] | `Vec<V>` | `array_agg(x)` | all values |
//! | [`ApproxDistinct`] | `u64` | `approx_count_distinct(x)` | a few for each value, at most 3 kB |
//!
//! # State
//!
//! Accumulators are part of the checkpoint, encoded with [postcard](https://postcard.jamesmunns.com/), which stores no names. So
//! values must not be of types with skipped, flattened or untagged parts (serde): those can't be decoded.
//!
//! At the start of a run the types of the stored accumulators are compared with those of the aggregate. If they differ, the run
//! fails. A change that keeps the types can't be detected: from [`Min`] to [`Max`], say, or from one column to another. Give
//! the operator another name then, and it starts with an empty state.
//!
//! A batch with a record of a key writes the whole accumulator of that key into the checkpoint. With [`Collect`] that grows with
//! each record.

mod approx_distinct;
mod collect;
mod count;
mod extremes;
mod first_last;
mod moments;
mod sum;
mod top_k;
mod tuples;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::operators::event_time::Timestamp;

pub use approx_distinct::ApproxDistinct;
pub use collect::Collect;
pub use count::Count;
pub use extremes::{Max, Min};
pub use first_last::{First, Last};
pub use moments::{Mean, Moments, Variance};
pub use sum::{Sum, Summable};
pub use top_k::TopK;

/// Computes one result from many records, a record at a time.
///
/// An implementation must keep these laws:
///
/// - **Empty is neutral, and merging is associative.** Records may be added to several accumulators, which are then merged in
///   the order of their times. The result must be the same as with a single accumulator.
/// - **An accumulator that is encoded and decoded is the same.** It is part of the checkpoint.
/// - **The result follows from the records and their times alone**, not from a clock or from chance.
///
/// `ecom_stream::testing::aggregate` (feature `testing`) checks whether an aggregate keeps them.
///
/// ```
/// use ecom_stream::Timestamp;
/// use ecom_stream::aggregate::{Aggregate, Count};
///
/// /// The share of numbers that are even.
/// struct ShareEven;
///
/// impl Aggregate<i64> for ShareEven {
///     type Acc = (u64, u64);
///     type Out = f64;
///
///     fn empty(&self) -> (u64, u64) {
///         (0, 0)
///     }
///
///     fn add(&self, (even, all): &mut (u64, u64), n: &i64, _: Timestamp) {
///         *even += u64::from(n % 2 == 0);
///         *all += 1;
///     }
///
///     fn merge(&self, acc: &mut (u64, u64), other: &(u64, u64)) {
///         acc.0 += other.0;
///         acc.1 += other.1;
///     }
///
///     fn result(&self, (even, all): &(u64, u64)) -> f64 {
///         *even as f64 / *all as f64
///     }
/// }
///
/// assert_eq!((Count, ShareEven).aggregate_all([1, 2, 4, 6]), (4, 0.75));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not aggregate records of type `{In}`",
    label = "not an aggregate of `{In}`",
    note = "the closure that is passed to `of` must take `&{In}`, and its type must be named: `Sum::of(|record: &Record| record.amount)`"
)]
pub trait Aggregate<In>: Send {
    /// The accumulator: what is kept of the records so far.
    type Acc: Serialize + DeserializeOwned + Send + 'static;

    /// The type of the result.
    type Out: Send + 'static;

    /// Returns the accumulator of no records.
    fn empty(&self) -> Self::Acc;

    /// Adds a record with the event time `time`.
    fn add(&self, acc: &mut Self::Acc, value: &In, time: Timestamp);

    /// Adds all records of another accumulator. Most of them are later than those of `acc`.
    fn merge(&self, acc: &mut Self::Acc, other: &Self::Acc);

    /// Returns the result for the records so far. It may be called several times, for early and for updated results.
    fn result(&self, acc: &Self::Acc) -> Self::Out;

    /// Returns the result for some values, as if each had happened a microsecond after the one before. It is meant for tests
    /// and examples.
    fn aggregate_all(&self, values: impl IntoIterator<Item = In>) -> Self::Out
    where
        Self: Sized,
    {
        let mut acc = self.empty();
        for (at, value) in (0..).zip(values) {
            self.add(&mut acc, &value, Timestamp::from_micros(at));
        }
        self.result(&acc)
    }
}

#[cfg(test)]
mod tests;
