//! The checks of aggregates.

use std::fmt::Debug;

use super::law::Law;
use crate::operators::Timestamp;
use crate::operators::aggregate::Aggregate;

/// Checks that the result of an [`Aggregate`] depends neither on how its accumulators were merged, nor on whether one was in a
/// checkpoint. Give it a dozen `values` or more, which it adds to accumulators in every possible partition into three.
///
/// ```
/// use ecom_stream::aggregate::Count;
/// use ecom_stream::testing;
///
/// testing::aggregate(&Count, 0..20);
/// ```
///
/// # Panics
///
/// When the aggregate breaks a law; the message names it.
pub fn aggregate<In, A>(aggregate: &A, values: impl IntoIterator<Item = In>)
where
    A: Aggregate<In, Out: PartialEq + Debug>,
{
    let values: Vec<In> = values.into_iter().collect();
    let acc = |from: usize, to: usize| {
        let mut acc = aggregate.empty();
        for (at, value) in values.iter().enumerate().take(to).skip(from) {
            aggregate.add(&mut acc, value, Timestamp::from_micros(at as i64));
        }
        acc
    };
    let all = acc(0, values.len());
    let whole = aggregate.result(&all);
    let again = stored::<In, A>(&all);
    let result = aggregate.result(&again);
    Law::STORED.holds(result == whole, &"all values", || {
        format!("{result:?} where there was {whole:?}")
    });
    for first in 0..=values.len() {
        for second in [first, (first + values.len()) / 2, values.len()] {
            let at = format!("values cut after {first} and {second}");
            let mut merged = aggregate.empty();
            for (from, to) in [(0, first), (first, second), (second, values.len())] {
                aggregate.merge(&mut merged, &stored::<In, A>(&acc(from, to)));
            }
            let result = aggregate.result(&merged);
            Law::MERGED.holds(result == whole, &at, || {
                format!("{result:?}, and {whole:?} without a cut")
            });
        }
    }
}

/// The accumulator after it was stored in a checkpoint and read back.
fn stored<In, A: Aggregate<In>>(acc: &A::Acc) -> A::Acc {
    let bytes = postcard::to_allocvec(acc).map_err(|err| err.to_string());
    let acc = bytes.and_then(|bytes| postcard::from_bytes(&bytes).map_err(|err| err.to_string()));
    acc.unwrap_or_else(|err| Law::STORED.broken(&"a checkpoint", err))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::aggregate::{Collect, First, TopK};

    #[test]
    fn aggregates_of_the_library_keep_the_laws() {
        aggregate(&(First::of(|n: &i64| *n), Collect::of(|n: &i64| *n)), 0..20);
        aggregate(&TopK::of(3, |n: &i64| n * 7 % 10), 0..20);
    }

    /// Computes the mean, and breaks a law: it merges accumulators to the mean of their means.
    struct MeanOfMeans;

    impl Aggregate<f64> for MeanOfMeans {
        type Acc = (f64, u32);
        type Out = f64;

        fn empty(&self) -> (f64, u32) {
            (0.0, 0)
        }

        fn add(&self, (sum, count): &mut (f64, u32), value: &f64, _: Timestamp) {
            *sum += value;
            *count += 1;
        }

        fn merge(&self, acc: &mut (f64, u32), other: &(f64, u32)) {
            if other.1 > 0 {
                self.add(acc, &self.result(other), Timestamp::from_micros(0));
            }
        }

        fn result(&self, (sum, count): &(f64, u32)) -> f64 {
            sum / f64::from(*count)
        }
    }

    #[test]
    #[should_panic(expected = "an aggregate's result does not depend on how its records were merged")]
    fn an_aggregate_that_depends_on_merging_is_found() {
        aggregate(&MeanOfMeans, [1.0, 2.0, 6.0]);
    }
}
