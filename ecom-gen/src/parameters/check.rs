//! Whether a shop can be like that.

use super::model::Habits;

/// What is wrong with [`Habits`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{what} is {value}: {rule}")]
pub struct HabitsError {
    what: &'static str,
    value: f64,
    rule: &'static str,
}

impl Habits {
    /// Whether a shop can be like that.
    ///
    /// # Errors
    ///
    /// When a number is not in its range: a share from 0 to 1, say.
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
        let count = wares.categories.len() as f64;
        within(
            "wares.categories",
            count,
            0.0,
            f64::from(u16::MAX),
            "there are at most 65,535",
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
        false => Err(HabitsError { what, value, rule }),
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

    fn category() -> crate::parameters::CategoryHabits {
        crate::parameters::CategoryHabits {
            name: None,
            visits: 1.0,
            price_mu: 3.0,
            price_sigma: 1.0,
        }
    }

    #[test]
    fn shops_that_can_not_be() {
        type Spoil = fn(&mut Habits);
        let cases: [(Spoil, &str); 7] = [
            (|habits| habits.visits.single = 1.1, "visits.single"),
            (|habits| habits.buying.buy = f64::NAN, "buying.buy"),
            (|habits| habits.visits.gap_sigma = -1.0, "visits.gap_sigma"),
            (|habits| habits.people.taste = [0.5; 3], "people.taste"),
            (|habits| habits.rhythm.hours = [0.0; 24], "rhythm.hours"),
            (|habits| habits.wares.zipf = f64::INFINITY, "wares.zipf"),
            (
                |habits| habits.wares.categories = vec![category(); 65_536],
                "wares.categories",
            ),
        ];
        for (spoil, what) in cases {
            let mut habits = Habits::default();
            spoil(&mut habits);
            let told = habits.check().unwrap_err().to_string();
            assert!(told.starts_with(what), "{told}");
        }
    }
}
