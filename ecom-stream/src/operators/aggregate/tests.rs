//! Tests of the aggregates: against plain loops, however accumulators are split, stored and merged.

use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::prelude::*;

use super::*;

/// Aggregates numbers that happen one after the other, once in a single accumulator and once in several, which are encoded,
/// decoded and then merged.
fn whole_and_merged<A: Aggregate<i64>>(aggregate: &A, numbers: &[i64], parts: usize) -> (A::Out, A::Out) {
    let add = |from: usize, numbers: &[i64]| {
        let mut acc = aggregate.empty();
        for (at, number) in (from..).zip(numbers) {
            aggregate.add(&mut acc, number, Timestamp::from_micros(at as i64 / 3));
        }
        let bytes = postcard::to_allocvec(&acc).unwrap();
        postcard::from_bytes::<A::Acc>(&bytes).unwrap()
    };
    let mut merged = aggregate.empty();
    for (part, numbers) in numbers.chunks(parts).enumerate() {
        aggregate.merge(&mut merged, &add(part * parts, numbers));
    }
    (aggregate.result(&add(0, numbers)), aggregate.result(&merged))
}

fn check<A: Aggregate<i64>>(aggregate: &A, numbers: &[i64], parts: usize, expected: A::Out)
where
    A::Out: PartialEq + Debug,
{
    let (whole, merged) = whole_and_merged(aggregate, numbers, parts);
    assert_eq!(whole, expected);
    assert_eq!(merged, expected);
}

fn is_near(seen: Option<f64>, expected: Option<f64>) -> bool {
    match (seen, expected) {
        (Some(seen), Some(expected)) => (seen - expected).abs() <= 1e-6 * expected.abs().max(1.0),
        (seen, expected) => seen == expected,
    }
}

proptest! {
    #[test]
    fn aggregates_are_what_a_plain_loop_computes(numbers in prop::collection::vec(-1_000..1_000_i64, 0..100), parts in 1..40_usize) {
        let n = &numbers[..];
        check(&Count, n, parts, n.len() as u64);
        check(&Sum::of(|n: &i64| *n), n, parts, n.iter().map(|n| i128::from(*n)).sum());
        check(&Sum::of(|n: &i64| (n % 2 == 0).then_some(*n as f64)), n, parts, n.iter().filter(|n| *n % 2 == 0).sum::<i64>() as f64);
        check(&Min::of(|n: &i64| *n), n, parts, n.iter().min().copied());
        check(&Max::of(|n: &i64| *n), n, parts, n.iter().max().copied());
        check(&First::of(|n: &i64| *n), n, parts, n.first().copied());
        check(&Last::of(|n: &i64| *n), n, parts, n.last().copied());
        check(&Collect::of(|n: &i64| *n), n, parts, numbers.clone());
        let mut sorted = numbers.clone();
        sorted.sort_by(|a, b| b.cmp(a));
        sorted.truncate(5);
        check(&TopK::of(5, |n: &i64| *n), n, parts, sorted);
        check(&TopK::of(0, |n: &i64| *n), n, parts, Vec::new());
        let both = (Count, Max::of(|n: &i64| *n), Min::of(|n: &i64| *n));
        check(&both, n, parts, (n.len() as u64, n.iter().max().copied(), n.iter().min().copied()));
    }

    #[test]
    fn mean_and_variance_equal_those_of_two_passes(numbers in prop::collection::vec(-1_000..1_000_i64, 0..100), parts in 1..40_usize) {
        // So large that a sum of squares would lose some of the differences.
        let as_float = |n: &i64| 1e6 + *n as f64;
        let count = numbers.len() as f64;
        let mean = (count > 0.0).then(|| numbers.iter().map(as_float).sum::<f64>() / count);
        let squares = mean.map(|mean| numbers.iter().map(|n| (as_float(n) - mean).powi(2)).sum::<f64>());
        let (whole, merged) = whole_and_merged(&Mean::of(as_float), &numbers, parts);
        prop_assert!(is_near(whole, mean) && is_near(merged, mean));
        let sample = squares.filter(|_| count > 1.0).map(|squares| squares / (count - 1.0));
        let (whole, merged) = whole_and_merged(&Variance::of(as_float), &numbers, parts);
        prop_assert!(is_near(whole, sample) && is_near(merged, sample), "{whole:?} {merged:?} {sample:?}");
        let population = squares.map(|squares| squares / count);
        let (whole, merged) = whole_and_merged(&Variance::of(as_float).of_population(), &numbers, parts);
        prop_assert!(is_near(whole, population) && is_near(merged, population));
    }

    #[test]
    fn few_different_values_are_counted_exactly(numbers in prop::collection::vec(0..100_i64, 0..300), parts in 1..80_usize) {
        let distinct = numbers.iter().collect::<BTreeSet<_>>().len() as u64;
        check(&ApproxDistinct::of(|n: &i64| *n), &numbers, parts, distinct);
    }
}

#[test]
fn many_different_values_are_counted_within_5_percent() {
    for count in [1_000_i64, 20_000, 300_000] {
        let numbers: Vec<i64> = (0..count).chain(0..count / 2).collect();
        let (whole, merged) = whole_and_merged(&ApproxDistinct::of(|n: &i64| n.to_string()), &numbers, 7_000);
        for seen in [whole, merged] {
            let off = (seen as f64 / count as f64 - 1.0).abs();
            assert!(off < 0.05, "{seen} for {count}");
        }
    }
}

#[test]
fn nan_is_ignored_by_min_and_max() {
    let float = |n: &i64| if *n == 0 { f64::NAN } else { *n as f64 };
    check(&Max::of(float), &[0, 3, 0, 5, 0], 2, Some(5.0));
    check(&Min::of(float), &[0], 1, None);
}

#[test]
fn of_equal_times_first_is_the_first_read_and_last_the_last_read() {
    let aggregate = (First::of(|n: &i64| *n), Last::of(|n: &i64| *n));
    let mut acc = aggregate.empty();
    for (number, time) in [(1, 7), (2, 7), (3, 9), (4, 9), (5, 8)] {
        aggregate.add(&mut acc, &number, Timestamp::from_micros(time));
    }
    assert_eq!(aggregate.result(&acc), (Some(1), Some(4)));
}
