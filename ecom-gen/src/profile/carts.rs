//! How many carts are bought.

use ecom_stream::EventType;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::events::{Events, NONE, share};
use super::groups::Groups;

/// The hours of the day and of the night, in the shop's time zone.
pub(crate) const DAY: std::ops::Range<usize> = 9..18;
pub(crate) const NIGHT: std::ops::Range<usize> = 0..6;

/// How many carts are bought. A user who adds products of a category is counted once per category, at the first time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Carts {
    /// The number of pairs of a user and a category in which a product was added to the cart.
    pub count: u64,
    /// The share of these pairs that bought a product of the category at that time or later.
    pub bought_share: Option<f64>,
    /// The same share by the hour of the cart.
    pub bought_share_by_hour: [Option<f64>; 24],
    /// The same share for carts from 9 to 18 o'clock, divided by that for carts from 0 to 6 o'clock.
    pub day_to_night: Option<f64>,
    /// The share of purchases in whose session no product was added to the cart.
    pub purchases_without_cart: Option<f64>,
}

impl Carts {
    pub(super) fn of(events: &Events, by_session: &Groups<'_>) -> Self {
        let (carts, bought) = by_hour(events);
        let rate = |hours: std::ops::Range<usize>| {
            let (bought, carts) = (bought[hours.clone()].iter().sum(), carts[hours].iter().sum());
            (carts > 0).then(|| share(bought, carts))
        };
        let by_day_and_night = rate(DAY).zip(rate(NIGHT)).filter(|&(_, night)| night > 0.0);
        Self {
            count: carts.iter().sum::<usize>() as u64,
            bought_share: rate(0..24),
            bought_share_by_hour: std::array::from_fn(|hour| rate(hour..hour + 1)),
            day_to_night: by_day_and_night.map(|(day, night)| day / night),
            purchases_without_cart: without_cart(by_session),
        }
    }
}

/// For each hour, the number of pairs of a user and a category, and how many of them bought.
fn by_hour(events: &Events) -> ([usize; 24], [usize; 24]) {
    let key = |user, category| u64::from(user) << 32 | u64::from(category);
    let mut first_cart: FxHashMap<u64, i64> = FxHashMap::default();
    for row in events.of(EventType::AddToCart).filter(|row| row.category != NONE) {
        let first = first_cart.entry(key(row.user, row.category)).or_insert(row.micros);
        *first = row.micros.min(*first);
    }
    let mut carts = [0; 24];
    for &micros in first_cart.values() {
        carts[events.hour(micros)] += 1;
    }
    let mut bought = [0; 24];
    for row in events.of(EventType::Purchase) {
        let key = key(row.user, row.category);
        if let Some(&micros) = first_cart.get(&key)
            && micros <= row.micros
        {
            bought[events.hour(micros)] += 1;
            // Each pair is counted once.
            first_cart.remove(&key);
        }
    }
    (carts, bought)
}

fn without_cart(by_session: &Groups<'_>) -> Option<f64> {
    let (mut without, mut all) = (0, 0);
    for session in by_session.iter() {
        let count = |event_type| session.iter().filter(|row| row.is(event_type)).count();
        let purchases = count(EventType::Purchase);
        all += purchases;
        if purchases > 0 && count(EventType::AddToCart) == 0 {
            without += purchases;
        }
    }
    (all > 0).then(|| share(without, all))
}

#[cfg(test)]
mod tests {
    use crate::profile::event_ref::EventRef;
    use crate::profile::fixtures::{HOUR, cart, measure, purchase};

    #[test]
    fn a_later_purchase_in_the_category_counts() {
        let of = |category, seen| EventRef {
            category: Some(category),
            ..seen
        };
        let carts = measure([
            // Bought in another session, as another product of the category; two carts are one.
            of("shoes", cart(HOUR, "ann", "s1", "boot")),
            of("shoes", cart(2 * HOUR, "ann", "s1", "sandal")),
            of("shoes", purchase(30 * HOUR, "ann", "s2", "clog")),
            // Bought before it was put into the cart.
            of("hats", purchase(9 * HOUR, "ann", "s1", "cap")),
            of("hats", cart(10 * HOUR, "ann", "s1", "cap")),
            of("hats", cart(10 * HOUR, "bob", "s3", "cap")),
            of("hats", purchase(11 * HOUR, "bob", "s3", "cap")),
            // Of no category.
            EventRef {
                category: None,
                ..cart(0, "bob", "s3", "pin")
            },
        ])
        .carts;
        assert_eq!((carts.count, carts.bought_share), (3, Some(2.0 / 3.0)));
        assert_eq!(
            (carts.bought_share_by_hour[1], carts.bought_share_by_hour[10]),
            (Some(1.0), Some(0.5))
        );
        assert_eq!((carts.bought_share_by_hour[2], carts.day_to_night), (None, Some(0.5)));
        assert_eq!(carts.purchases_without_cart, Some(1.0 / 3.0));
    }

    #[test]
    fn no_carts() {
        let carts = measure([]).carts;
        assert_eq!((carts.count, carts.bought_share, carts.day_to_night), (0, None, None));
        assert_eq!(carts.purchases_without_cart, None);
    }
}
