//! The brands and categories of a shop.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::events::{Events, NONE, share};
use super::prices;
use super::statistics::{LogNormal, Moments};

/// The number of brands that are listed.
const BRANDS: usize = 20;
/// A category with fewer users is not listed, so that a profile reveals nothing about a single user.
const MIN_USERS: usize = 10;
/// The number of products that is needed for a fit of a category's prices.
const MIN_PRICES: usize = 20;

/// Brands and categories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Assortment {
    /// The number of brands.
    pub brands: u64,
    /// The shares of events of the 20 most frequent brands, without their names.
    pub brand_shares: Vec<f64>,
    /// The top levels of the categories, that is the text before the first dot, beginning with the most frequent.
    pub top_levels: Vec<Category>,
    /// The categories, beginning with the most frequent.
    pub categories: Vec<Category>,
    /// The standard deviation of the `mu` of prices over the top levels; `None` if fewer than two of them have 20
    /// products.
    pub mu_spread: Option<f64>,
}

/// A category that at least 10 users visited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Category {
    /// The name of the category.
    pub name: String,
    /// Its share of all events.
    pub share: f64,
    /// The number of its products in the events.
    pub products: u64,
    /// The lognormal distribution fitted to their prices; `None` for fewer than 20 products.
    pub price: Option<LogNormal>,
}

impl Assortment {
    pub(super) fn of(events: &Events) -> Self {
        let (brands, brand_shares) = brands(events);
        let names: Vec<&str> = events.categories.iter().map(String::as_str).collect();
        let top_names: Vec<&str> = names
            .iter()
            .map(|name| name.split('.').next().unwrap_or(name))
            .collect();
        let top_levels = categories(events, &top_names);
        let mus: Vec<f64> = top_levels.iter().filter_map(|top| Some(top.price?.mu)).collect();
        Self {
            brands,
            brand_shares,
            top_levels,
            categories: categories(events, &names),
            mu_spread: Moments::of(&mus).filter(|_| mus.len() > 1).map(|mu| mu.sd),
        }
    }
}

fn brands(events: &Events) -> (u64, Vec<f64>) {
    let mut counts = vec![0_usize; events.brands];
    for row in events.rows.iter().filter(|row| row.brand != NONE) {
        counts[row.brand as usize] += 1;
    }
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let shares = counts.iter().take(BRANDS).map(|&count| share(count, events.rows.len()));
    (counts.len() as u64, shares.collect())
}

/// The categories, if the category with number `n` is called `names[n]`.
fn categories(events: &Events, names: &[&str]) -> Vec<Category> {
    #[derive(Default)]
    struct Found {
        events: usize,
        users: FxHashSet<u32>,
        products: FxHashSet<u32>,
    }
    let mut numbers: FxHashMap<&str, usize> = FxHashMap::default();
    let mut found: Vec<(&str, Found)> = Vec::new();
    let number_of: Vec<usize> = names
        .iter()
        .map(|&name| {
            *numbers.entry(name).or_insert_with(|| {
                found.push((name, Found::default()));
                found.len() - 1
            })
        })
        .collect();
    for row in events.rows.iter().filter(|row| row.category != NONE) {
        let (_, found) = &mut found[number_of[row.category as usize]];
        found.events += 1;
        if found.users.len() < MIN_USERS {
            found.users.insert(row.user);
        }
        found.products.insert(row.product);
    }
    let prices = prices::of_products(events);
    let mut listed = BTreeMap::new();
    for (name, found) in found.into_iter().filter(|(_, found)| found.users.len() >= MIN_USERS) {
        let prices: Vec<f64> = found
            .products
            .iter()
            .filter_map(|&product| prices[product as usize])
            .collect();
        let category = Category {
            name: name.to_owned(),
            share: share(found.events, events.rows.len()),
            products: found.products.len() as u64,
            price: LogNormal::of(&prices).filter(|_| prices.len() >= MIN_PRICES),
        };
        listed.insert((std::cmp::Reverse(found.events), name), category);
    }
    listed.into_values().collect()
}

#[cfg(test)]
mod tests {
    use crate::profile::event_ref::EventRef;
    use crate::profile::fixtures::{measure, view};

    #[test]
    fn categories_by_hand() {
        let names: Vec<String> = (0..40).map(|number: u32| number.to_string()).collect();
        let mut events = Vec::new();
        for (number, name) in (0..).zip(&names) {
            // Shoes at 10 and 20, hats at 100 and 200, each viewed by a different user.
            let (category, cents) = match number {
                0..10 => ("shoes.boots", 1_000),
                10..20 => ("shoes", 2_000),
                20..30 => ("hats.caps", 10_000),
                _ => ("hats.bowlers", 20_000),
            };
            let seen = EventRef {
                category: Some(category),
                cents: Some(cents),
                ..view(number, name, name, name)
            };
            events.extend([
                EventRef {
                    brand: Some("acme"),
                    ..seen
                },
                EventRef {
                    micros: seen.micros + 1,
                    ..seen
                },
            ]);
        }
        events.extend((0..20).map(|second| EventRef {
            category: Some("rare"),
            ..view(second, "9", "9", "9")
        }));
        let assortment = measure(events).assortment;
        assert_eq!((assortment.brands, assortment.brand_shares), (1, vec![0.4]));
        let names: Vec<&str> = assortment
            .categories
            .iter()
            .map(|category| category.name.as_str())
            .collect();
        assert_eq!(names, ["hats.bowlers", "hats.caps", "shoes", "shoes.boots"]);
        assert!(
            assortment
                .categories
                .iter()
                .all(|category| category.share == 0.2 && category.price.is_none())
        );
        let tops: Vec<(&str, u64)> = assortment
            .top_levels
            .iter()
            .map(|top| (top.name.as_str(), top.products))
            .collect();
        assert_eq!(tops, [("hats", 20), ("shoes", 20)]);
        let mu = |top: usize| assortment.top_levels[top].price.unwrap().mu;
        assert!((mu(1) - 200.0_f64.ln() / 2.0).abs() < 1e-12);
        // Ten times as expensive: half of ln 10 on either side of the mean, with n - 1.
        assert!((assortment.mu_spread.unwrap() - 10.0_f64.ln() / 2.0_f64.sqrt()).abs() < 1e-12);
    }
}
