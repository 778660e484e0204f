//! The prices of products.

use serde::{Deserialize, Serialize};

use super::events::Events;
use super::statistics::{LogNormal, SummaryStatistics};

/// The prices of products. Each product counts once, with its first price above 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Prices {
    /// The distribution of prices, in units of the currency.
    pub amount: Option<SummaryStatistics>,
    /// The lognormal distribution fitted to the prices.
    pub log: Option<LogNormal>,
}

impl Prices {
    pub(super) fn of(events: &Events) -> Self {
        let mut prices: Vec<f64> = of_products(events).into_iter().flatten().collect();
        Self {
            log: LogNormal::of(&prices),
            amount: SummaryStatistics::of(&mut prices),
        }
    }
}

/// The first price above 0 of each product, by its number.
pub(super) fn of_products(events: &Events) -> Vec<Option<f64>> {
    let mut first: Vec<Option<(i64, i64)>> = vec![None; events.products];
    for row in events.rows.iter().filter(|row| row.cents > 0) {
        let known = &mut first[row.product as usize];
        if known.is_none_or(|(micros, _)| row.micros < micros) {
            *known = Some((row.micros, row.cents));
        }
    }
    first
        .into_iter()
        .map(|first| first.map(|(_, cents)| cents as f64 / 100.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::profile::event_ref::EventRef;
    use crate::profile::fixtures::{measure, view};

    #[test]
    fn each_product_counts_once() {
        let priced = |seconds, product, cents| EventRef {
            cents,
            ..view(seconds, "u", "s", product)
        };
        let prices = measure([
            // The price rises later; the first one counts, zero does not.
            priced(9, "boot", Some(9_999)),
            priced(0, "boot", Some(0)),
            priced(1, "boot", Some(1_000)),
            priced(2, "sock", Some(100)),
            priced(3, "pin", None),
        ])
        .prices;
        let amount = prices.amount.unwrap();
        assert_eq!((amount.count, amount.mean, amount.max), (2, 5.5, 10.0));
        assert!((prices.log.unwrap().mu - 10.0_f64.ln() / 2.0).abs() < 1e-12);
    }
}
