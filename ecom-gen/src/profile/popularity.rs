//! How views are distributed over products.

use ecom_stream::EventType;
use serde::{Deserialize, Serialize};

use super::events::{Events, share};
use super::statistics::{gini, top_share, zipf_exponent};

/// The ranks to which Zipf's law is fitted, and the number of products that this needs.
const RANKS: (usize, usize) = (10, 1_000);
const MIN_PRODUCTS: usize = 100;

/// How views are distributed over products. Products without a view are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Popularity {
    /// The number of products with a view.
    pub products: u64,
    /// The exponent of Zipf's law over ranks 10 to 1,000.
    pub zipf_head: Option<f64>,
    /// The exponent of Zipf's law over the more popular half.
    pub zipf_top_half: Option<f64>,
    /// The share of views of the most popular product.
    pub top_product_share: Option<f64>,
    /// The share of views of the most popular 1 % of products.
    pub top_1_percent_share: Option<f64>,
    /// The share of views of the most popular 10 % of products.
    pub top_10_percent_share: Option<f64>,
    /// The Gini coefficient of the views.
    pub gini: Option<f64>,
    /// The share of products that were bought at least once.
    pub bought_share: Option<f64>,
}

impl Popularity {
    pub(super) fn of(events: &Events) -> Self {
        let mut views = vec![0_u32; events.products];
        for row in events.of(EventType::View) {
            views[row.product as usize] += 1;
        }
        let mut is_bought = vec![false; events.products];
        for row in events.of(EventType::Purchase) {
            is_bought[row.product as usize] = true;
        }
        let bought = is_bought
            .iter()
            .zip(&views)
            .filter(|&(&bought, &views)| bought && views > 0)
            .count();
        views.retain(|&count| count > 0);
        views.sort_unstable_by(|a, b| b.cmp(a));
        let products = views.len();
        let zipf = |first, last| zipf_exponent(&views, first, last).filter(|_| products >= MIN_PRODUCTS);
        Self {
            products: products as u64,
            zipf_head: zipf(RANKS.0, RANKS.1.min(products)),
            zipf_top_half: zipf(1, products / 2),
            top_product_share: top_share(&views, 0.0),
            top_1_percent_share: top_share(&views, 0.01),
            top_10_percent_share: top_share(&views, 0.1),
            gini: gini(&views),
            bought_share: (products > 0).then(|| share(bought, products)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::fixtures::{measure, purchase, view};

    #[test]
    fn concentration_of_ten_products() {
        // The first has 91 views, nine have one; an eleventh has none, and is bought.
        let mut events: Vec<_> = (0..91).map(|second| view(second, "u", "s", "0")).collect();
        events.extend(["1", "2", "3", "4", "5", "6", "7", "8", "9"].map(|product| view(0, "u", "s", product)));
        events.extend(["0", "7", "never viewed"].map(|product| purchase(0, "u", "s", product)));
        let popularity = measure(events).popularity;
        assert_eq!((popularity.products, popularity.bought_share), (10, Some(0.2)));
        assert_eq!(
            (popularity.top_product_share, popularity.top_10_percent_share),
            (Some(0.91), Some(0.91))
        );
        // (2 * (9 * 10 / 2 + 10 * 91)) / (10 * 100) - 11 / 10
        assert!((popularity.gini.unwrap() - 0.81).abs() < 1e-12);
        assert_eq!((popularity.zipf_head, popularity.zipf_top_half), (None, None));
    }

    #[test]
    fn zipf_is_found_in_views() {
        let names: Vec<String> = (1..=300).map(|rank: u32| rank.to_string()).collect();
        let mut events = Vec::new();
        for (rank, name) in (1..).zip(&names) {
            events.extend((0..6_000 / rank).map(|second| view(second, "u", "s", name)));
        }
        let popularity = measure(events).popularity;
        assert!((popularity.zipf_head.unwrap() - 1.0).abs() < 0.02, "{popularity:?}");
        assert!((popularity.zipf_top_half.unwrap() - 1.0).abs() < 0.02, "{popularity:?}");
    }
}
