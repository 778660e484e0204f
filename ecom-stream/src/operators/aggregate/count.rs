//! [`Count`]: the number of records.

use super::Aggregate;
use crate::operators::event_time::Timestamp;

/// The number of records, like SQL's `count(*)`.
///
/// ```
/// use ecom_stream::aggregate::{Aggregate, Count};
///
/// assert_eq!(Count.aggregate_all(["a", "b"]), 2);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Count;

impl<In> Aggregate<In> for Count {
    type Acc = u64;
    type Out = u64;

    fn empty(&self) -> u64 {
        0
    }

    fn add(&self, acc: &mut u64, _: &In, _: Timestamp) {
        *acc += 1;
    }

    fn merge(&self, acc: &mut u64, other: &u64) {
        *acc += other;
    }

    fn result(&self, acc: &u64) -> u64 {
        *acc
    }
}
