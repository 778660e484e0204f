//! [`Collect`]: all values.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Aggregate;
use crate::operators::event_time::Timestamp;

/// All values of `f`, in the order in which the records were read, like SQL's `array_agg(x)`.
///
/// In a hopping window that order holds within each slice, and in a session that was joined from several, within each of them.
///
/// Each batch that adds a value writes all values of that key and window into the checkpoint again. So use it where there are
/// few records for a key and window.
///
/// ```
/// use ecom_stream::aggregate::{Aggregate, Collect};
///
/// assert_eq!(Collect::of(|n: &i32| n * n).aggregate_all([1, 2, 3]), [1, 4, 9]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Collect<F>(F);

impl<F> Collect<F> {
    /// Collects what `f` returns for each record.
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
