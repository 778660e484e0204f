use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Aggregate;
use crate::operators::event_time::Timestamp;

/// All of what a function gives, in the order in which the records were read: SQL's `array_agg(x)`. In a hopping window that
/// order holds within each hop, in a session within each of those that a record joined.
///
/// Every batch that adds to it writes all of it into the checkpoint again: it is for few records a key and window.
///
/// ```
/// use ecom_stream::aggregate::{Aggregate, Collect};
///
/// assert_eq!(Collect::of(|n: &i32| n * n).aggregate_all([1, 2, 3]), [1, 4, 9]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Collect<F>(F);

impl<F> Collect<F> {
    /// All of what `f` gives.
    pub fn of<In, V>(f: F) -> Self
    where
        F: Fn(&In) -> V,
    {
        Self(f)
    }
}

impl<In, V, F> Aggregate<In> for Collect<F>
where
    V: Clone + Serialize + DeserializeOwned + Send + 'static,
    F: Fn(&In) -> V + Send,
{
    type Acc = Vec<V>;
    type Out = Vec<V>;

    fn empty(&self) -> Vec<V> {
        Vec::new()
    }

    fn add(&self, acc: &mut Vec<V>, value: &In, _: Timestamp) {
        acc.push(self.0(value));
    }

    fn merge(&self, acc: &mut Vec<V>, other: &Vec<V>) {
        acc.extend_from_slice(other);
    }

    fn result(&self, acc: &Vec<V>) -> Vec<V> {
        acc.clone()
    }
}
