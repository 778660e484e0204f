//! Builds the model of a shop, and determines how many visits per second produce its rate of events.

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
/// Enough shoppers for their average to be that of the distribution.
const MANY_SHOPPERS: f64 = 1e6;
/// A slice has at most about this many events: few enough for the processor's cache, and enough to outweigh the cost of
/// handing a slice from thread to thread.
const MAX_EVENTS_PER_SLICE: f64 = 20_000.0;
/// The possible lengths of a slice. Even the longest is short compared with the changes of the rate during a day.
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
            // With few shoppers, each one influences the number of events per visit.
            population: Population::new(
                seed,
                options.shoppers.map_or(MANY_SHOPPERS, |shoppers| shoppers as f64),
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

    /// The average number of events per visit, found by simulating a sample of visits.
    fn mean_events_per_visit(&self) -> f64 {
        const SAMPLE: u32 = 160_000;
        const WEEK_MICROS: i64 = 7 * DAY_MICROS;
        let buying = &self.parameters.buying;
        let mut events = Vec::new();
        let slices = (WEEK_MICROS / self.slice_micros).max(1);
        let (mut weight, mut events_made, mut visits_with_cart, mut lines_left) = (0.0, 0.0, 0.0, 0.0);
        for index in 0..SAMPLE {
            // The sample is spread evenly over a week, and weighted with the number of visits at that time.
            let slice = i64::from(index) * slices / i64::from(SAMPLE);
            let visitors = self
                .calendar
                .visit_factor(self.calendar.local(slice * self.slice_micros));
            events.clear();
            let lines = browse(self, VisitNumber { slice, index }, &mut events);
            weight += visitors;
            events_made += visitors * events.len() as f64;
            visits_with_cart += if lines > 0 { visitors } else { 0.0 };
            lines_left += visitors * lines as f64;
        }
        let of_browsing = events_made / weight;
        // A visitor who returns to an abandoned cart views its products and may buy them; one who finds no cart
        // browses.
        let is_abandoned = visits_with_cart / weight * (1.0 - buying.return_to_cart);
        let found = 1.0 - libm::pow(1.0 - is_abandoned, f64::from(CART_SEARCH_SLICES * CART_SEARCH_VISITS));
        let lines = if visits_with_cart > 0.0 {
            lines_left / visits_with_cart
        } else {
            0.0
        };
        let of_cart = 1.0 + SECOND_VIEW + buying.purchase_after_return * lines * (1.0 + buying.cancel);
        let returning = buying.return_to_cart * found;
        ((1.0 - returning) * of_browsing + returning * of_cart)
            * (1.0 + self.delivery.duplicate + self.delivery.altered)
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
    fn the_weekly_rate_is_as_requested_for_any_seed_and_parameters() {
        let start = datetime!(2026-11-02 00:00 UTC);
        let far = |parameters: ModelParameters, shoppers: Option<u64>, seed| {
            // Long orders vary a lot from week to week, so many are needed.
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
        // With few long orders, a week of wholesale differs from another by about 1 %.
        let most = |cancel: f64| if cancel > 0.0 { 0.025 } else { 0.01 };
        assert!(
            all.iter().all(|(.., cancel, far)| far.abs() < most(*cancel)),
            "{all:#?}"
        );
    }
}
