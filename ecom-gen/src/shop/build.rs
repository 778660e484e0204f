//! Builds the model of a shop, with as many visits as make its rate.

use super::builder::ShopBuilder;
use super::calendar::Calendar;
use super::model::Model;
use super::population::Population;
use super::scenario::Scenarios;
use super::visit::{LOOK_AT_SLICES, LOOK_AT_VISITS, LOOKS_TWICE, VisitNumber, look_around};
use crate::catalogue::Catalogue;
use crate::micros::DAY_MICROS;
use crate::random::Seed;

const MICROS: f64 = 1e6;
const DAYS_OF_A_MONTH: f64 = 30.0;
/// So many shoppers that they are as shoppers are on average.
const MANY: f64 = 1e6;
/// A slice has at most about that many events: few enough for the nearest memory, enough to be worth handing around.
const EVENTS_OF_A_SLICE: f64 = 20_000.0;
/// Short enough for the rhythm of the day to show.
const SLICES_MICROS: [i64; 7] = [600_000_000, 60_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000];

impl Model {
    pub(crate) fn new(options: &ShopBuilder) -> Self {
        let seed = Seed(options.seed);
        let habits = options.habits.clone();
        let catalogue = Catalogue::new(seed, options.products, &habits.wares);
        let calendar = Calendar::new(&habits.rhythm, options.zone.clone());
        let rate = options.rate.events_per_second();
        let mut slices = SLICES_MICROS.into_iter();
        let fits = |slice: &i64| *slice as f64 * rate / MICROS <= EVENTS_OF_A_SLICE;
        let slice_micros = slices.find(fits).unwrap_or(1_000);
        let mut model = Self {
            seed,
            slice_micros,
            // Of few shoppers each matters for how many events a visit has.
            population: Population::new(
                seed,
                options.shoppers.map_or(MANY, |shoppers| shoppers as f64),
                &habits.people,
            ),
            catalogue,
            calendar,
            scenarios: Scenarios::default(),
            delivery: options.delivery,
            ids: options.ids,
            habits,
            events_per_slice: rate * slice_micros as f64 / MICROS,
            visits_per_slice: 0.0,
        };
        let visits_per_second = rate / model.events_of_a_visit();
        if options.shoppers.is_none() {
            let visits_a_month = visits_per_second * DAY_MICROS as f64 / MICROS * DAYS_OF_A_MONTH;
            let shoppers = visits_a_month / model.habits.people.visits_a_month;
            model.population = Population::new(seed, shoppers, &model.habits.people);
        }
        model.scenarios = Scenarios::new(&options.scenarios);
        model.visits_per_slice = visits_per_second * slice_micros as f64 / MICROS;
        model
    }

    /// How many events a visit has on average, found by looking at some.
    fn events_of_a_visit(&self) -> f64 {
        const SOME: u32 = 160_000;
        const WEEK_MICROS: i64 = 7 * DAY_MICROS;
        let buying = &self.habits.buying;
        let mut events = Vec::new();
        let slices = (WEEK_MICROS / self.slice_micros).max(1);
        let (mut weight, mut made, mut leave, mut left) = (0.0, 0.0, 0.0, 0.0);
        for index in 0..SOME {
            // At all times of the week alike, and counted by how many come at that time.
            let slice = i64::from(index) * slices / i64::from(SOME);
            let visitors = self.calendar.visitors(self.calendar.local(slice * self.slice_micros));
            events.clear();
            let lines = look_around(self, VisitNumber { slice, index }, &mut events);
            weight += visitors;
            made += visitors * events.len() as f64;
            leave += if lines > 0 { visitors } else { 0.0 };
            left += visitors * lines as f64;
        }
        let usual = made / weight;
        // Who is back for a basket looks at it, and buys it or not; who finds none does as usual.
        let is_left = leave / weight * (1.0 - buying.come_back);
        let found = 1.0 - libm::pow(1.0 - is_left, f64::from(LOOK_AT_SLICES * LOOK_AT_VISITS));
        let lines = if leave > 0.0 { left / leave } else { 0.0 };
        let of_basket = 1.0 + LOOKS_TWICE + buying.buy_later * lines * (1.0 + buying.cancel);
        let back = buying.come_back * found;
        ((1.0 - back) * usual + back * of_basket) * (1.0 + self.delivery.duplicate + self.delivery.altered)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::micros::micros;
    use crate::parameters::Habits;
    use crate::rate::Rate;
    use crate::shop::iterator::Shop;

    #[test]
    fn the_rate_of_a_week_is_as_asked_for_whatever_the_seed_and_the_habits() {
        let start = datetime!(2026-11-02 00:00 UTC);
        let far = |habits: Habits, shoppers: Option<u64>, seed| {
            // Long orders make for large differences between weeks, so there must be many.
            let rate = if habits.buying.cancel > 0.0 { 10.0 } else { 4.0 };
            let shop = Shop::builder(seed, start).rate(Rate::per_second(rate).unwrap());
            let mut shop = shop.habits(habits).unwrap();
            shop.shoppers = shoppers;
            let model = Model::new(&shop);
            let slices = model.slice_at(micros(start))..model.slice_at(micros(start) + 7 * DAY_MICROS);
            let events: usize = slices.map(|slice| model.simulate(slice).len()).sum();
            events as f64 / (rate * 7.0 * 86_400.0) - 1.0
        };
        let mut all = Vec::new();
        for seed in 1..=3 {
            for shoppers in [None, Some(200)] {
                for habits in [Habits::default(), Habits::default().steady(), Habits::wholesale()] {
                    all.push((seed, shoppers, habits.buying.cancel, far(habits, shoppers, seed)));
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
