//! [`TopK`]: the greatest values.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Aggregate;
use crate::operators::event_time::Timestamp;

/// The `k` greatest values of `f`, the greatest first, like SQL's `ORDER BY x DESC LIMIT k`. Of equal values those that were read
/// first are kept.
///
/// To rank records by a number, return a tuple with that number first.
///
/// ```
/// use ecom_stream::Event;
/// use ecom_stream::aggregate::{Aggregate, TopK};
///
/// let dearest = TopK::of(10, |event: &Event| (event.price, event.product_id.clone()));
/// assert_eq!(TopK::of(2, |n: &i32| *n).aggregate_all([3, 9, 5]), [9, 5]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TopK<F> {
    k: usize,
    f: F,
}

impl<F> TopK<F> {
    /// Keeps the `k` greatest values that `f` returns.
    pub fn of<In, V: Ord>(k: usize, f: F) -> Self
    where
        F: Fn(&In) -> V,
    {
        Self { k, f }
    }

    fn insert<V: Ord>(&self, acc: &mut Vec<V>, value: V) {
        let at = acc.partition_point(|better| *better >= value);
        if at < self.k {
            acc.truncate(self.k - 1);
            acc.insert(at, value);
        }
    }
}

impl<In, V, F> Aggregate<In> for TopK<F>
where
    V: Ord + Clone + Serialize + DeserializeOwned + Send + 'static,
    F: Fn(&In) -> V + Send,
{
    type Acc = Vec<V>;
    type Out = Vec<V>;

    fn empty(&self) -> Vec<V> {
        Vec::new()
    }

    fn add(&self, acc: &mut Vec<V>, value: &In, _: Timestamp) {
        self.insert(acc, (self.f)(value));
    }

    fn merge(&self, acc: &mut Vec<V>, other: &Vec<V>) {
        for value in other {
            self.insert(acc, value.clone());
        }
    }

    fn result(&self, acc: &Vec<V>) -> Vec<V> {
        acc.clone()
    }
}
