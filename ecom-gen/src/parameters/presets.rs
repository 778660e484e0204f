//! The numbers of some shops.

use super::model::{BuyingHabits, Habits, PeopleHabits, Rhythm, VisitHabits, WareHabits};

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
