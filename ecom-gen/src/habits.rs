//! The numbers of the model: what a shop is like.

use serde::{Deserialize, Serialize};

/// What a shop and its shoppers are like: every number of the model, with a large general shop's as defaults.
///
/// Start from [`Habits::default`] or [`Habits::wholesale`] and set what differs:
///
/// ```
/// use ecom_gen::{Habits, Shop};
/// use time::macros::datetime;
///
/// let mut habits = Habits::default();
/// habits.buying.buy = 0.7; // baskets are seldom left
/// let shop = Shop::builder(7, datetime!(2026-11-01 12:00 UTC)).habits(habits)?.build();
/// # Ok::<(), ecom_gen::HabitsError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Habits {
    /// What a visit looks like.
    pub visits: VisitHabits,
    /// How baskets are filled and bought.
    pub buying: BuyingHabits,
    /// Who comes, and how often.
    pub people: PeopleHabits,
    /// What is sold.
    pub wares: WareHabits,
    /// When people come.
    pub rhythm: Rhythm,
}

/// What a visit looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct VisitHabits {
    /// Share of the visits that are a single view.
    pub single: f64,
    /// Views beyond the second one, in the other visits: mean of the logarithm.
    pub views_mu: f64,
    /// The same, deviation of the logarithm.
    pub views_sigma: f64,
    /// Seconds between two events of a visit: mean of the logarithm.
    pub gap_mu: f64,
    /// The same, deviation of the logarithm.
    pub gap_sigma: f64,
    /// How likely the next view is of the same product.
    pub same_product: f64,
    /// How likely it is of a product seen before in the visit.
    pub back: f64,
    /// How likely a view of another product stays in the category.
    pub same_category: f64,
}

/// How baskets are filled and bought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BuyingHabits {
    /// How likely a product just viewed goes into the basket, for an average shopper and product.
    pub cart: f64,
    /// How likely a basket is bought in the visit that filled it, in an average hour.
    pub buy: f64,
    /// How likely it is emptied in part before.
    pub remove: f64,
    /// Share of the baskets that are bought at once, without an `add_to_cart`.
    pub at_once: f64,
    /// How likely another product follows one into the basket.
    pub another: f64,
    /// How likely that is one that goes with it.
    pub bundle: f64,
    /// Share of the visits that go on with a basket that an earlier visit has left.
    pub come_back: f64,
    /// Hours until then: mean of the logarithm.
    pub come_back_hours_mu: f64,
    /// The same, deviation of the logarithm.
    pub come_back_hours_sigma: f64,
    /// How likely such a basket is bought then.
    pub buy_later: f64,
    /// Share of the visits, of an average shopper, for something that the shopper buys again and again.
    pub replenish: f64,
    /// How likely that goes into the basket.
    pub replenish_cart: f64,
    /// How many of a product: mean of the logarithm; at least 1 is bought.
    pub quantity_mu: f64,
    /// The same, deviation of the logarithm.
    pub quantity_sigma: f64,
    /// Share of the orders that are cancelled: each line is then removed again.
    pub cancel: f64,
}

/// Who comes, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PeopleHabits {
    /// Visits of an average shopper in 30 days, those counted who don't come.
    pub visits_a_month: f64,
    /// How unequally often people come: a share of `x` of the people makes `x^(1/inequality)` of the visits.
    pub inequality: f64,
    /// Days that one remains a shopper: mean of the logarithm.
    pub days_mu: f64,
    /// The same, deviation of the logarithm.
    pub days_sigma: f64,
    /// How much longer those remain who come often: the exponent of how often.
    pub loyalty: f64,
    /// How much longer those remain who buy readily: the exponent of how readily.
    pub loyalty_of_buyers: f64,
    /// How much shoppers differ in how readily they put something into the basket: deviation of the logarithm.
    pub keenness_sigma: f64,
    /// How much less readily those do who come often, in a visit: the exponent of how often.
    pub keenness_damping: f64,
    /// How likely a visit is for what the shopper likes best, second and third.
    pub taste: [f64; 3],
}

/// What is sold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct WareHabits {
    /// How fast popularity falls with the rank: 1 / (rank + `head`) ^ `zipf`.
    pub zipf: f64,
    /// How flat the head is.
    pub head: f64,
    /// How much products differ in how readily they are bought: deviation of the logarithm.
    pub appeal_sigma: f64,
    /// How much more readily popular products are bought: the exponent of popularity.
    pub appeal_of_popularity: f64,
    /// Share of the products without a brand.
    pub no_brand: f64,
    /// How unequally a category's brands are represented: 1 is evenly.
    pub brand_inequality: f64,
    /// Share of the products, on a day, whose price is unknown and written as 0.
    pub zero_price: f64,
    /// The categories; empty for those of a general shop.
    pub categories: Vec<CategoryHabits>,
}

/// A category: a part of what is sold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryHabits {
    /// Its dotted name; none for products that the shop has in no category.
    pub name: Option<String>,
    /// How many visits begin here, in relation to the others.
    pub visits: f64,
    /// Price: mean of the logarithm.
    pub price_mu: f64,
    /// Price: deviation of the logarithm.
    pub price_sigma: f64,
}

/// When people come and when they buy, by the shop's local time. Only the relations count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Rhythm {
    /// How many come, in the hour that begins at 0, 1, 2 …
    pub hours: [f64; 24],
    /// How many come, on Monday, Tuesday, Wednesday …
    pub weekdays: [f64; 7],
    /// How readily they buy, in the hour that begins at 0, 1, 2 …
    pub buying_hours: [f64; 24],
}

impl Default for VisitHabits {
    fn default() -> Self {
        Self {
            single: 0.38,
            views_mu: 0.72,
            views_sigma: 1.08,
            gap_mu: 3.75,
            gap_sigma: 1.25,
            same_product: 0.17,
            back: 0.08,
            same_category: 0.82,
        }
    }
}

impl Default for BuyingHabits {
    fn default() -> Self {
        Self {
            cart: 0.027,
            buy: 0.34,
            remove: 0.06,
            at_once: 0.10,
            another: 0.17,
            bundle: 0.8,
            come_back: 0.012,
            come_back_hours_mu: 3.2,
            come_back_hours_sigma: 1.1,
            buy_later: 0.75,
            replenish: 0.11,
            replenish_cart: 0.75,
            quantity_mu: -0.35,
            quantity_sigma: 0.62,
            cancel: 0.0,
        }
    }
}

impl Default for PeopleHabits {
    fn default() -> Self {
        Self {
            visits_a_month: 2.3,
            inequality: 7.0,
            days_mu: 4.8,
            days_sigma: 1.0,
            loyalty: 0.3,
            loyalty_of_buyers: 0.9,
            keenness_sigma: 1.4,
            keenness_damping: 0.5,
            taste: [0.40, 0.20, 0.10],
        }
    }
}

impl Default for WareHabits {
    fn default() -> Self {
        Self {
            zipf: 1.17,
            head: 0.7,
            appeal_sigma: 1.8,
            appeal_of_popularity: 0.45,
            no_brand: 0.14,
            brand_inequality: 2.0,
            zero_price: 0.002,
            categories: Vec::new(),
        }
    }
}

impl Default for Rhythm {
    /// Two humps, the larger one in the evening, and a quiet night; Sunday is busiest.
    fn default() -> Self {
        Self {
            hours: [
                1.8, 0.95, 0.6, 0.5, 0.6, 1.0, 1.9, 3.0, 4.1, 5.0, 5.7, 6.1, 6.2, 5.9, 5.6, 5.5, 5.6, 5.9, 6.5, 7.2,
                7.6, 7.0, 5.2, 3.2,
            ],
            weekdays: [1.0, 0.95, 0.93, 0.96, 1.08, 1.2, 1.38],
            buying_hours: [
                0.3, 0.2, 0.15, 0.15, 0.2, 0.35, 0.6, 0.9, 1.15, 1.35, 1.45, 1.5, 1.5, 1.45, 1.4, 1.3, 1.2, 1.1, 1.0,
                0.9, 0.8, 0.7, 0.55, 0.4,
            ],
        }
    }
}

impl Rhythm {
    /// The same at all times.
    pub fn steady() -> Self {
        Self {
            hours: [1.0; 24],
            weekdays: [1.0; 7],
            buying_hours: [1.0; 24],
        }
    }
}

impl Habits {
    /// The same, but as many come by night as by day, and on any day of the week: at a rate that is always the same.
    #[must_use]
    pub fn steady(mut self) -> Self {
        self.rhythm = Rhythm::steady();
        self
    }

    /// Those of a shop that sells to shops: long orders of many pieces, on working days, one in seven cancelled.
    pub fn wholesale() -> Self {
        let mut habits = Self::default();
        habits.visits.single = 0.15;
        habits.visits.gap_mu = 2.6;
        habits.visits.views_mu = 0.9;
        habits.buying.cart = 0.05;
        habits.buying.buy = 0.75;
        habits.buying.another = 0.955;
        habits.buying.bundle = 0.25;
        habits.buying.replenish = 0.2;
        habits.buying.quantity_mu = 1.6;
        habits.buying.quantity_sigma = 1.0;
        habits.buying.cancel = 0.148;
        habits.people.days_mu = 5.8;
        habits.rhythm.hours = [
            0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 1.0, 3.0, 7.0, 10.0, 12.0, 12.0, 12.0, 11.0, 10.0, 9.0, 6.0, 3.0, 1.5, 1.0,
            0.5, 0.3, 0.2, 0.1,
        ];
        habits.rhythm.weekdays = [1.0, 1.05, 1.0, 1.1, 0.9, 0.0, 0.6];
        habits
    }
}

/// What is wrong with [`Habits`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("habits: {what}: {rule}")]
pub struct HabitsError {
    what: &'static str,
    rule: &'static str,
}

impl Habits {
    /// Whether a shop can be like that.
    ///
    /// # Errors
    ///
    /// When a share is not from 0 to 1, a deviation is below 0, or a number is not one.
    pub fn check(&self) -> Result<(), HabitsError> {
        let Self {
            visits,
            buying,
            people,
            wares,
            rhythm,
        } = self;
        for (what, share) in [
            ("visits.single", visits.single),
            ("visits.same_product", visits.same_product),
            ("visits.back", visits.back),
            ("visits.same_category", visits.same_category),
            ("buying.cart", buying.cart),
            ("buying.buy", buying.buy),
            ("buying.remove", buying.remove),
            ("buying.at_once", buying.at_once),
            ("buying.bundle", buying.bundle),
            ("buying.come_back", buying.come_back),
            ("buying.buy_later", buying.buy_later),
            ("buying.replenish", buying.replenish),
            ("buying.replenish_cart", buying.replenish_cart),
            ("buying.cancel", buying.cancel),
            ("people.taste", people.taste.iter().sum()),
            ("wares.no_brand", wares.no_brand),
            ("wares.zero_price", wares.zero_price),
        ] {
            within(what, share, 0.0, 1.0, "a share is from 0 to 1")?;
        }
        within("buying.another", buying.another, 0.0, 0.98, "it is from 0 to 0.98")?;
        for (what, sigma) in [
            ("visits.views_sigma", visits.views_sigma),
            ("visits.gap_sigma", visits.gap_sigma),
            ("people.keenness_sigma", people.keenness_sigma),
            ("buying.come_back_hours_sigma", buying.come_back_hours_sigma),
            ("buying.quantity_sigma", buying.quantity_sigma),
            ("people.days_sigma", people.days_sigma),
            ("wares.appeal_sigma", wares.appeal_sigma),
        ] {
            within(what, sigma, 0.0, 4.0, "a deviation of logarithms is from 0 to 4")?;
        }
        for (what, mu) in [
            ("visits.views_mu", visits.views_mu),
            ("visits.gap_mu", visits.gap_mu),
            ("buying.come_back_hours_mu", buying.come_back_hours_mu),
            ("buying.quantity_mu", buying.quantity_mu),
            ("people.days_mu", people.days_mu),
        ] {
            within(what, mu, -10.0, 10.0, "a mean of logarithms is from -10 to 10")?;
        }
        let positive = "it is above 0 and at most 1,000";
        within("people.visits_a_month", people.visits_a_month, 1e-3, 1e3, positive)?;
        within("people.inequality", people.inequality, 1.0, 20.0, "it is from 1 to 20")?;
        for (what, exponent) in [
            ("people.loyalty", people.loyalty),
            ("people.loyalty_of_buyers", people.loyalty_of_buyers),
            ("people.keenness_damping", people.keenness_damping),
            ("wares.appeal_of_popularity", wares.appeal_of_popularity),
        ] {
            within(what, exponent, 0.0, 2.0, "an exponent is from 0 to 2")?;
        }
        within("wares.zipf", wares.zipf, 0.0, 3.0, "it is from 0 to 3")?;
        within("wares.head", wares.head, 0.01, 1e6, "it is from 0.01 to a million")?;
        within(
            "wares.brand_inequality",
            wares.brand_inequality,
            1.0,
            20.0,
            "it is from 1 to 20",
        )?;
        for category in &wares.categories {
            let visits = "a category has visits above 0";
            within("wares.categories", category.visits, 1e-12, 1e12, visits)?;
            within(
                "wares.categories",
                category.price_mu,
                -4.0,
                12.0,
                "price_mu is from -4 to 12",
            )?;
            within(
                "wares.categories",
                category.price_sigma,
                0.0,
                4.0,
                "price_sigma is from 0 to 4",
            )?;
        }
        for (what, weights) in [
            ("rhythm.hours", rhythm.hours.as_slice()),
            ("rhythm.weekdays", &rhythm.weekdays),
            ("rhythm.buying_hours", &rhythm.buying_hours),
        ] {
            for weight in weights {
                within(what, *weight, 0.0, 1e12, "no weight is below 0")?;
            }
            within(what, weights.iter().sum(), 1e-12, f64::MAX, "one weight is above 0")?;
        }
        Ok(())
    }
}

fn within(what: &'static str, value: f64, least: f64, most: f64, rule: &'static str) -> Result<(), HabitsError> {
    // Not a number is in no range.
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(HabitsError { what, rule }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shops_that_can_be() {
        Habits::default().check().unwrap();
        Habits::wholesale().check().unwrap();
        Habits::default().steady().check().unwrap();
    }

    #[test]
    fn shops_that_can_not_be() {
        type Spoil = fn(&mut Habits);
        let cases: [(Spoil, &str); 6] = [
            (|habits| habits.visits.single = 1.1, "visits.single"),
            (|habits| habits.buying.buy = f64::NAN, "buying.buy"),
            (|habits| habits.visits.gap_sigma = -1.0, "visits.gap_sigma"),
            (|habits| habits.people.taste = [0.5; 3], "people.taste"),
            (|habits| habits.rhythm.hours = [0.0; 24], "rhythm.hours"),
            (|habits| habits.wares.zipf = f64::INFINITY, "wares.zipf"),
        ];
        for (spoil, what) in cases {
            let mut habits = Habits::default();
            spoil(&mut habits);
            let told = habits.check().unwrap_err().to_string();
            assert!(told.contains(what), "{told}");
        }
    }
}
