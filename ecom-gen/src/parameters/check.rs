//! Checks that every parameter is in its range.

use super::model::ModelParameters;

/// A parameter of [`ModelParameters`] that is out of range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{what} is {value}: {rule}")]
pub struct ParameterError {
    what: &'static str,
    value: f64,
    rule: &'static str,
}

impl ModelParameters {
    /// Checks that every parameter is in its range.
    ///
    /// # Errors
    ///
    /// If a parameter is out of range: a probability outside 0 to 1, for example. The error names the parameter.
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
            within(what, share, 0.0, 1.0, "a share must be between 0 and 1")?;
        }
        within(
            "buying.add_another",
            buying.add_another,
            0.0,
            0.98,
            "it must be between 0 and 0.98",
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
            within(
                what,
                sigma,
                0.0,
                4.0,
                "the standard deviation of a logarithm must be between 0 and 4",
            )?;
        }
        for (what, mu) in [
            ("visits.views_mu", visits.views_mu),
            ("visits.gap_mu", visits.gap_mu),
            ("buying.return_hours_mu", buying.return_hours_mu),
            ("buying.quantity_mu", buying.quantity_mu),
            ("shoppers.lifetime_days_mu", shoppers.lifetime_days_mu),
        ] {
            within(
                what,
                mu,
                -10.0,
                10.0,
                "the mean of a logarithm must be between -10 and 10",
            )?;
        }
        let positive = "it must be between 0.001 and 1,000";
        within("shoppers.visits_a_month", shoppers.visits_a_month, 1e-3, 1e3, positive)?;
        within(
            "shoppers.inequality",
            shoppers.inequality,
            1.0,
            20.0,
            "it must be between 1 and 20",
        )?;
        for (what, exponent) in [
            ("shoppers.loyalty", shoppers.loyalty),
            ("shoppers.loyalty_of_buyers", shoppers.loyalty_of_buyers),
            ("shoppers.propensity_damping", shoppers.propensity_damping),
            ("products.appeal_of_popularity", products.appeal_of_popularity),
        ] {
            within(what, exponent, 0.0, 2.0, "an exponent must be between 0 and 2")?;
        }
        within(
            "products.zipf_exponent",
            products.zipf_exponent,
            0.0,
            3.0,
            "it must be between 0 and 3",
        )?;
        within(
            "products.zipf_offset",
            products.zipf_offset,
            0.01,
            1e6,
            "it must be between 0.01 and 1,000,000",
        )?;
        within(
            "products.brand_inequality",
            products.brand_inequality,
            1.0,
            20.0,
            "it must be between 1 and 20",
        )?;
        let count = products.categories.len() as f64;
        within(
            "products.categories",
            count,
            0.0,
            f64::from(u16::MAX),
            "a shop can have at most 65,535 categories",
        )?;
        for category in &products.categories {
            let visits = "the visits of a category must be above 0";
            within("products.categories", category.visits, 1e-12, 1e12, visits)?;
            within(
                "products.categories",
                category.price_mu,
                -4.0,
                12.0,
                "price_mu must be between -4 and 12",
            )?;
            within(
                "products.categories",
                category.price_sigma,
                0.0,
                4.0,
                "price_sigma must be between 0 and 4",
            )?;
        }
        for (what, weights) in [
            ("seasonality.hours", seasonality.hours.as_slice()),
            ("seasonality.weekdays", &seasonality.weekdays),
            ("seasonality.buying_hours", &seasonality.buying_hours),
        ] {
            for weight in weights {
                within(what, *weight, 0.0, 1e12, "a weight must not be negative")?;
            }
            within(
                what,
                weights.iter().sum(),
                1e-12,
                f64::MAX,
                "at least one weight must be above 0",
            )?;
        }
        Ok(())
    }
}

fn within(what: &'static str, value: f64, least: f64, most: f64, rule: &'static str) -> Result<(), ParameterError> {
    // NaN is in no range.
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(ParameterError { what, value, rule }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid() {
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
    fn parameters_out_of_range_are_named() {
        type Break = fn(&mut ModelParameters);
        let cases: [(Break, &str); 7] = [
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
        for (break_it, what) in cases {
            let mut parameters = ModelParameters::default();
            break_it(&mut parameters);
            let message = parameters.check().unwrap_err().to_string();
            assert!(message.starts_with(what), "{message}");
        }
    }
}
