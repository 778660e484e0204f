//! The default parameters, and ready-made variants of them.

use super::model::{
    BuyingParameters, ModelParameters, ProductParameters, Seasonality, ShopperParameters, VisitParameters,
};

impl Default for VisitParameters {
    fn default() -> Self {
        Self {
            bounce_rate: 0.38,
            views_mu: 0.72,
            views_sigma: 1.08,
            gap_mu: 3.75,
            gap_sigma: 1.25,
            same_product: 0.17,
            revisit: 0.08,
            same_category: 0.82,
        }
    }
}

impl Default for BuyingParameters {
    fn default() -> Self {
        Self {
            add_to_cart: 0.027,
            purchase: 0.34,
            remove_from_cart: 0.06,
            buy_now: 0.10,
            add_another: 0.17,
            bundle: 0.8,
            return_to_cart: 0.012,
            return_hours_mu: 3.2,
            return_hours_sigma: 1.1,
            purchase_after_return: 0.75,
            replenish: 0.11,
            replenish_add_to_cart: 0.75,
            quantity_mu: -0.35,
            quantity_sigma: 0.62,
            cancel: 0.0,
        }
    }
}

impl Default for ShopperParameters {
    fn default() -> Self {
        Self {
            visits_a_month: 2.3,
            inequality: 7.0,
            lifetime_days_mu: 4.8,
            lifetime_days_sigma: 1.0,
            loyalty: 0.3,
            loyalty_of_buyers: 0.9,
            propensity_sigma: 1.4,
            propensity_damping: 0.5,
            taste: [0.40, 0.20, 0.10],
        }
    }
}

impl Default for ProductParameters {
    fn default() -> Self {
        Self {
            zipf_exponent: 1.17,
            zipf_offset: 0.7,
            appeal_sigma: 1.8,
            appeal_of_popularity: 0.45,
            without_brand: 0.14,
            brand_inequality: 2.0,
            zero_price: 0.002,
            categories: Vec::new(),
        }
    }
}

impl Default for Seasonality {
    /// Two peaks, the higher one in the evening, and a quiet night. Sunday is the busiest day.
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

impl Seasonality {
    /// The same at all times.
    pub fn steady() -> Self {
        Self {
            hours: [1.0; 24],
            weekdays: [1.0; 7],
            buying_hours: [1.0; 24],
        }
    }
}

impl ModelParameters {
    /// The same parameters without daily and weekly seasonality, so that the rate is constant.
    #[must_use]
    pub fn steady(mut self) -> Self {
        self.seasonality = Seasonality::steady();
        self
    }

    /// The parameters of a wholesale shop: long orders of many pieces, placed on working days; one order in seven is
    /// cancelled.
    pub fn wholesale() -> Self {
        let mut parameters = Self::default();
        parameters.visits.bounce_rate = 0.15;
        parameters.visits.gap_mu = 2.6;
        parameters.visits.views_mu = 0.9;
        parameters.buying.add_to_cart = 0.05;
        parameters.buying.purchase = 0.75;
        parameters.buying.add_another = 0.955;
        parameters.buying.bundle = 0.25;
        parameters.buying.replenish = 0.2;
        parameters.buying.quantity_mu = 1.6;
        parameters.buying.quantity_sigma = 1.0;
        parameters.buying.cancel = 0.148;
        parameters.shoppers.lifetime_days_mu = 5.8;
        parameters.seasonality.hours = [
            0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 1.0, 3.0, 7.0, 10.0, 12.0, 12.0, 12.0, 11.0, 10.0, 9.0, 6.0, 3.0, 1.5, 1.0,
            0.5, 0.3, 0.2, 0.1,
        ];
        parameters.seasonality.weekdays = [1.0, 1.05, 1.0, 1.1, 0.9, 0.0, 0.6];
        parameters
    }
}
