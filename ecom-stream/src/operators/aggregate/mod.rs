//! Aggregates: what windows make of the records in them.
//!
//! A tuple of aggregates is one that gives a tuple, so that [`Count`] and [`Sum`] are computed in one pass. Your own
//! implement [`Aggregate`].
//!
//! | aggregate | gives | SQL | bytes in the state, for each key and window |
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
//! What windows keep in the state is checked at the next start: another aggregate under the same name is refused, if what it keeps
//! looks otherwise. A [`Min`] that became a [`Max`] can't be told, nor one of another column: give such a one another name.
//!
//! Values in the state are encoded without their names ([postcard](https://postcard.jamesmunns.com/)): types with fields that are
//! skipped, flattened or untagged can't be read again.
//!
//! A batch that touches a key writes its whole accumulator into the checkpoint: with [`Collect`] that grows.

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

/// Makes one result of many records, a record at a time.
///
/// Laws:
/// - Nothing merged with an accumulator leaves it as it is, and merging is associative: records may be added to
///   accumulators of their own, which are then merged in the order of their times.
/// - An accumulator that was encoded and decoded is the same: it goes into the checkpoint.
/// - The result follows from the records alone, not from a clock or from chance.
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
///
/// Whether yours keeps the laws, `ecom_stream::testing::aggregate` checks (feature `testing`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not aggregate records of type `{In}`",
    label = "not an aggregate of `{In}`",
    note = "the closure that is passed to `of` must take `&{In}`, and its type must be named: `Sum::of(|record: &Record| record.amount)`"
)]
pub trait Aggregate<In>: Send {
    /// What is remembered of the records so far.
    type Acc: Serialize + DeserializeOwned + Send + 'static;

    /// What comes out.
    type Out: Send + 'static;

    /// The accumulator of no records.
    fn empty(&self) -> Self::Acc;

    /// Adds a record that happened at `time`.
    fn add(&self, acc: &mut Self::Acc, value: &In, time: Timestamp);

    /// Adds all records of another accumulator, whose times are later for the most part.
    fn merge(&self, acc: &mut Self::Acc, other: &Self::Acc);

    /// The result of the records so far.
    fn result(&self, acc: &Self::Acc) -> Self::Out;

    /// The result of some values, as if they had happened a microsecond after each other: to try an aggregate.
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
