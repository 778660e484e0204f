//! Which products are bought together.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::baskets::Baskets;
use super::events::share;
use super::statistics::SummaryStatistics;

/// The number of the most frequent pairs that are measured.
const TOP: usize = 1_000;
/// A pair must occur this often to be measured, and there must be at least [`MIN_PAIRS`] of them: the lift of rare
/// pairs is mostly chance.
const MIN_OCCURRENCES: u32 = 3;
const MIN_PAIRS: usize = 30;
/// Orders with more products are left out, because the number of pairs grows with the square.
const MAX_PRODUCTS: usize = 64;

/// Pairs of products that are bought in one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Pairs {
    /// The number of distinct pairs.
    pub count: u64,
    /// The share of pairs that occur only once.
    pub seen_once_share: Option<f64>,
    /// The lift of the 1,000 most frequent pairs: how much more often a pair occurs than by chance. `None` if fewer
    /// than 30 pairs occur at least three times.
    pub lift: Option<SummaryStatistics>,
    /// The confidence of the same pairs, in both directions: the share of orders with one product that also have the
    /// other.
    pub confidence: Option<SummaryStatistics>,
}

impl Pairs {
    pub(super) fn of(baskets: &Baskets) -> Self {
        let mut of_product: FxHashMap<u32, u32> = FxHashMap::default();
        let mut of_pair: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        let mut products = Vec::new();
        let mut orders = 0;
        for order in &baskets.orders {
            products.clear();
            products.extend(baskets.lines(order).iter().map(|line| line.product));
            products.sort_unstable();
            products.dedup();
            if products.len() > MAX_PRODUCTS {
                continue;
            }
            orders += 1;
            for (at, &a) in (1..).zip(&products) {
                *of_product.entry(a).or_default() += 1;
                for &b in &products[at..] {
                    *of_pair.entry((a, b)).or_default() += 1;
                }
            }
        }
        let once = of_pair.values().filter(|&&count| count == 1).count();
        let (mut lifts, mut confidences) = (Vec::new(), Vec::new());
        for ((a, b), count) in most_frequent(&of_pair) {
            let [count, a, b] = [count, of_product[&a], of_product[&b]].map(f64::from);
            lifts.push(count * f64::from(orders) / (a * b));
            confidences.extend([count / a, count / b]);
        }
        Self {
            count: of_pair.len() as u64,
            seen_once_share: (!of_pair.is_empty()).then(|| share(once, of_pair.len())),
            lift: SummaryStatistics::of(&mut lifts),
            confidence: SummaryStatistics::of(&mut confidences),
        }
    }
}

fn most_frequent(pairs: &FxHashMap<(u32, u32), u32>) -> Vec<((u32, u32), u32)> {
    let often = pairs.iter().filter(|&(_, &count)| count >= MIN_OCCURRENCES);
    let mut often: Vec<((u32, u32), u32)> = often.map(|(&pair, &count)| (pair, count)).collect();
    often.sort_unstable_by_key(|&(pair, count)| (Reverse(count), pair));
    often.truncate(if often.len() < MIN_PAIRS { 0 } else { TOP });
    often
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::fixtures::{measure, purchase};

    /// Measures orders of these products, each by a different user.
    fn pairs(orders: &[Vec<String>]) -> Pairs {
        let users: Vec<String> = (0..orders.len()).map(|user| user.to_string()).collect();
        let lines = orders.iter().zip(&users);
        let lines = lines.flat_map(|(order, user)| order.iter().map(move |product| purchase(0, user, user, product)));
        measure(lines).pairs
    }

    #[test]
    fn pairs_are_measured() {
        let mut orders = Vec::new();
        for pair in 0..30 {
            let (left, right) = (format!("l{pair}"), format!("r{pair}"));
            // Three orders with both, one with the left product alone: 4 and 3 of 120 orders.
            orders.extend(vec![vec![left.clone(), right]; 3]);
            orders.push(vec![left]);
        }
        let found = pairs(&orders);
        assert_eq!((found.count, found.seen_once_share), (30, Some(0.0)));
        let lift = found.lift.unwrap();
        assert_eq!((lift.count, lift.median, lift.p90), (30, 3.0 * 120.0 / 12.0, 30.0));
        assert_eq!(found.confidence.unwrap().mean, (0.75 + 1.0) / 2.0);

        // With one pair less there are too few.
        assert_eq!(pairs(&orders[4..]).lift, None);
        assert_eq!(pairs(&orders[..4]).count, 1);
    }

    #[test]
    fn orders_of_many_products_are_left_out() {
        let products = |count: u32| (0..count).map(|product| product.to_string()).collect();
        assert_eq!(pairs(&[products(64)]).count, 64 * 63 / 2);
        assert_eq!(pairs(&[products(65)]).seen_once_share, None);
    }
}
