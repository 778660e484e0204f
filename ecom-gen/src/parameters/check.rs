//! Whether a shop can be like that.

use super::model::ModelParameters;

/// What is wrong with [`ModelParameters`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{what} is {value}: {rule}")]
pub struct ParameterError {
    what: &'static str,
    value: f64,
    rule: &'static str,
}

impl ModelParameters {
    /// Whether a shop can be like that.
    ///
    /// # Errors
    ///
    /// When a number is not in its range: a share from 0 to 1, say.
    pub fn check(&self) -> Result<(), ParameterError> {
        let Self {
            visits,
            buying,
            shoppers,
            products,
            seasonality,
        } = self;
        for (what, share) in [
            ("visits.bounce_rate", visits.bounce_rate),
            ("visits.same_product", visits.same_product),
            ("visits.revisit", visits.revisit),
            ("visits.same_category", visits.same_category),
            ("buying.add_to_cart", buying.add_to_cart),
            ("buying.purchase", buying.purchase),
            ("buying.remove_from_cart", buying.remove_from_cart),
            ("buying.buy_now", buying.buy_now),
            ("buying.bundle", buying.bundle),
            ("buying.return_to_cart", buying.return_to_cart),
            ("buying.purchase_after_return", buying.purchase_after_return),
            ("buying.replenish", buying.replenish),
            ("buying.replenish_add_to_cart", buying.replenish_add_to_cart),
            ("buying.cancel", buying.cancel),
            ("shoppers.taste", shoppers.taste.iter().sum()),
            ("products.without_brand", products.without_brand),
            ("products.zero_price", products.zero_price),
        ] {
            within(what, share, 0.0, 1.0, "a share is from 0 to 1")?;
        }
        within(
            "buying.add_another",
            buying.add_another,
            0.0,
            0.98,
            "it is from 0 to 0.98",
        )?;
        for (what, sigma) in [
            ("visits.views_sigma", visits.views_sigma),
            ("visits.gap_sigma", visits.gap_sigma),
            ("shoppers.propensity_sigma", shoppers.propensity_sigma),
            ("buying.return_hours_sigma", buying.return_hours_sigma),
            ("buying.quantity_sigma", buying.quantity_sigma),
            ("shoppers.lifetime_days_sigma", shoppers.lifetime_days_sigma),
            ("products.appeal_sigma", products.appeal_sigma),
        ] {
            within(what, sigma, 0.0, 4.0, "a deviation of logarithms is from 0 to 4")?;
        }
        for (what, mu) in [
            ("visits.views_mu", visits.views_mu),
            ("visits.gap_mu", visits.gap_mu),
            ("buying.return_hours_mu", buying.return_hours_mu),
            ("buying.quantity_mu", buying.quantity_mu),
            ("shoppers.lifetime_days_mu", shoppers.lifetime_days_mu),
        ] {
            within(what, mu, -10.0, 10.0, "a mean of logarithms is from -10 to 10")?;
        }
        let positive = "it is above 0 and at most 1,000";
        within("shoppers.visits_a_month", shoppers.visits_a_month, 1e-3, 1e3, positive)?;
        within(
            "shoppers.inequality",
            shoppers.inequality,
            1.0,
            20.0,
            "it is from 1 to 20",
        )?;
        for (what, exponent) in [
            ("shoppers.loyalty", shoppers.loyalty),
            ("shoppers.loyalty_of_buyers", shoppers.loyalty_of_buyers),
            ("shoppers.propensity_damping", shoppers.propensity_damping),
            ("products.appeal_of_popularity", products.appeal_of_popularity),
        ] {
            within(what, exponent, 0.0, 2.0, "an exponent is from 0 to 2")?;
        }
        within(
            "products.zipf_exponent",
            products.zipf_exponent,
            0.0,
            3.0,
            "it is from 0 to 3",
        )?;
        within(
            "products.zipf_offset",
            products.zipf_offset,
            0.01,
            1e6,
            "it is from 0.01 to a million",
        )?;
        within(
            "products.brand_inequality",
            products.brand_inequality,
            1.0,
            20.0,
            "it is from 1 to 20",
        )?;
        let count = products.categories.len() as f64;
        within(
            "products.categories",
            count,
            0.0,
            f64::from(u16::MAX),
            "there are at most 65,535",
        )?;
        for category in &products.categories {
            let visits = "a category has visits above 0";
            within("products.categories", category.visits, 1e-12, 1e12, visits)?;
            within(
                "products.categories",
                category.price_mu,
                -4.0,
                12.0,
                "price_mu is from -4 to 12",
            )?;
            within(
                "products.categories",
                category.price_sigma,
                0.0,
                4.0,
                "price_sigma is from 0 to 4",
            )?;
        }
        for (what, weights) in [
            ("seasonality.hours", seasonality.hours.as_slice()),
            ("seasonality.weekdays", &seasonality.weekdays),
            ("seasonality.buying_hours", &seasonality.buying_hours),
        ] {
            for weight in weights {
                within(what, *weight, 0.0, 1e12, "no weight is below 0")?;
            }
            within(what, weights.iter().sum(), 1e-12, f64::MAX, "one weight is above 0")?;
        }
        Ok(())
    }
}

fn within(what: &'static str, value: f64, least: f64, most: f64, rule: &'static str) -> Result<(), ParameterError> {
    // Not a number is in no range.
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(ParameterError { what, value, rule }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shops_that_can_be() {
        ModelParameters::default().check().unwrap();
        ModelParameters::wholesale().check().unwrap();
        ModelParameters::default().steady().check().unwrap();
    }

    fn category() -> crate::parameters::CategoryParameters {
        crate::parameters::CategoryParameters {
            name: None,
            visits: 1.0,
            price_mu: 3.0,
            price_sigma: 1.0,
        }
    }

    #[test]
    fn shops_that_can_not_be() {
        type Spoil = fn(&mut ModelParameters);
        let cases: [(Spoil, &str); 7] = [
            (|parameters| parameters.visits.bounce_rate = 1.1, "visits.bounce_rate"),
            (|parameters| parameters.buying.purchase = f64::NAN, "buying.purchase"),
            (|parameters| parameters.visits.gap_sigma = -1.0, "visits.gap_sigma"),
            (|parameters| parameters.shoppers.taste = [0.5; 3], "shoppers.taste"),
            (
                |parameters| parameters.seasonality.hours = [0.0; 24],
                "seasonality.hours",
            ),
            (
                |parameters| parameters.products.zipf_exponent = f64::INFINITY,
                "products.zipf_exponent",
            ),
            (
                |parameters| parameters.products.categories = vec![category(); 65_536],
                "products.categories",
            ),
        ];
        for (spoil, what) in cases {
            let mut parameters = ModelParameters::default();
            spoil(&mut parameters);
            let told = parameters.check().unwrap_err().to_string();
            assert!(told.starts_with(what), "{told}");
        }
    }
}
