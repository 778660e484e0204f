//! Builds the model of a shop, with as many visits as make its rate.

use super::builder::ShopBuilder;
use super::calendar::Calendar;
use super::model::Model;
use super::population::Population;
use super::scenario::Scenarios;
use super::visit::{CART_SEARCH_SLICES, CART_SEARCH_VISITS, SECOND_VIEW, VisitNumber, browse};
use crate::catalogue::Catalogue;
use crate::micros::DAY_MICROS;
use crate::random::Seed;

const MICROS: f64 = 1e6;
const DAYS_PER_MONTH: f64 = 30.0;
/// So many shoppers that they are as shoppers are on average.
const MANY: f64 = 1e6;
/// A slice has at most about that many events: few enough for the nearest memory, enough to be worth handing around.
const MAX_EVENTS_PER_SLICE: f64 = 20_000.0;
/// Short enough for the rhythm of the day to show.
const SLICE_LENGTHS_MICROS: [i64; 7] = [600_000_000, 60_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000];

impl Model {
    pub(crate) fn new(options: &ShopBuilder) -> Self {
        let seed = Seed(options.seed);
        let parameters = options.parameters.clone();
        let catalogue = Catalogue::new(seed, options.products, &parameters.products);
        let calendar = Calendar::new(&parameters.seasonality, options.zone.clone());
        let rate = options.rate.events_per_second();
        let mut slices = SLICE_LENGTHS_MICROS.into_iter();
        let fits = |slice: &i64| *slice as f64 * rate / MICROS <= MAX_EVENTS_PER_SLICE;
        let slice_micros = slices.find(fits).unwrap_or(1_000);
        let mut model = Self {
            seed,
            slice_micros,
            // Of few shoppers each matters for how many events a visit has.
            population: Population::new(
                seed,
                options.shoppers.map_or(MANY, |shoppers| shoppers as f64),
                &parameters.shoppers,
            ),
            catalogue,
            calendar,
            scenarios: Scenarios::default(),
            delivery: options.delivery,
            ids: options.ids,
            parameters,
            events_per_slice: rate * slice_micros as f64 / MICROS,
            visits_per_slice: 0.0,
        };
        let visits_per_second = rate / model.mean_events_per_visit();
        if options.shoppers.is_none() {
            let visits_a_month = visits_per_second * DAY_MICROS as f64 / MICROS * DAYS_PER_MONTH;
            let shoppers = visits_a_month / model.parameters.shoppers.visits_a_month;
            model.population = Population::new(seed, shoppers, &model.parameters.shoppers);
        }
        model.scenarios = Scenarios::new(&options.scenarios);
        model.visits_per_slice = visits_per_second * slice_micros as f64 / MICROS;
        model
    }

    /// How many events a visit has on average, found by looking at some.
    fn mean_events_per_visit(&self) -> f64 {
        const SOME: u32 = 160_000;
        const WEEK_MICROS: i64 = 7 * DAY_MICROS;
        let buying = &self.parameters.buying;
        let mut events = Vec::new();
        let slices = (WEEK_MICROS / self.slice_micros).max(1);
        let (mut weight, mut made, mut leave, mut left) = (0.0, 0.0, 0.0, 0.0);
        for index in 0..SOME {
            // At all times of the week alike, and counted by how many come at that time.
            let slice = i64::from(index) * slices / i64::from(SOME);
            let visitors = self
                .calendar
                .visit_factor(self.calendar.local(slice * self.slice_micros));
            events.clear();
            let lines = browse(self, VisitNumber { slice, index }, &mut events);
            weight += visitors;
            made += visitors * events.len() as f64;
            leave += if lines > 0 { visitors } else { 0.0 };
            left += visitors * lines as f64;
        }
        let usual = made / weight;
        // Who is back for a basket looks at it, and buys it or not; who finds none does as usual.
        let is_left = leave / weight * (1.0 - buying.return_to_cart);
        let found = 1.0 - libm::pow(1.0 - is_left, f64::from(CART_SEARCH_SLICES * CART_SEARCH_VISITS));
        let lines = if leave > 0.0 { left / leave } else { 0.0 };
        let of_basket = 1.0 + SECOND_VIEW + buying.purchase_after_return * lines * (1.0 + buying.cancel);
        let back = buying.return_to_cart * found;
        ((1.0 - back) * usual + back * of_basket) * (1.0 + self.delivery.duplicate + self.delivery.altered)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::micros::micros;
    use crate::parameters::ModelParameters;
    use crate::rate::Rate;
    use crate::shop::iterator::Shop;

    #[test]
    fn the_rate_of_a_week_is_as_asked_for_whatever_the_seed_and_the_habits() {
        let start = datetime!(2026-11-02 00:00 UTC);
        let far = |parameters: ModelParameters, shoppers: Option<u64>, seed| {
            // Long orders make for large differences between weeks, so there must be many.
            let rate = if parameters.buying.cancel > 0.0 { 10.0 } else { 4.0 };
            let shop = Shop::builder(seed, start).rate(Rate::per_second(rate).unwrap());
            let mut shop = shop.parameters(parameters).unwrap();
            shop.shoppers = shoppers;
            let model = Model::new(&shop);
            let slices = model.slice_at(micros(start))..model.slice_at(micros(start) + 7 * DAY_MICROS);
            let events: usize = slices.map(|slice| model.simulate(slice).len()).sum();
            events as f64 / (rate * 7.0 * 86_400.0) - 1.0
        };
        let mut all = Vec::new();
        for seed in 1..=3 {
            for shoppers in [None, Some(200)] {
                for parameters in [
                    ModelParameters::default(),
                    ModelParameters::default().steady(),
                    ModelParameters::wholesale(),
                ] {
                    all.push((
                        seed,
                        shoppers,
                        parameters.buying.cancel,
                        far(parameters, shoppers, seed),
                    ));
                }
            }
        }
        // Few long orders make a week of wholesale differ from another by a hundredth.
        let most = |cancel: f64| if cancel > 0.0 { 0.025 } else { 0.01 };
        assert!(
            all.iter().all(|(.., cancel, far)| far.abs() < most(*cancel)),
            "{all:#?}"
        );
    }
}
