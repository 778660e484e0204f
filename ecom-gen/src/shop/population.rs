use crate::catalogue::Catalogue;
use crate::micros::DAY_MICROS;
use crate::parameters::PeopleHabits;
use crate::random::{Purpose, Seed, mix, unit};

/// How much more often the busiest shopper comes than an average one.
const BUSIEST: f64 = 300.0;

/// The people who may come. All about them follows from the seed, so a billion of them take no memory.
///
/// There are as many places as there are shoppers at a time. A place says how often its shopper comes and for how long
/// one remains; when one leaves for good, another takes the place.
#[derive(Debug, Clone)]
pub(crate) struct Population {
    seed: Seed,
    places: f64,
    habits: PeopleHabits,
    /// Where on the power curve draws begin, which keeps the busiest places from having it all, and its height there.
    flatten: f64,
    below: f64,
    /// The logarithm of how often those come on whom the last draw falls.
    log_rarest: f64,
    /// Makes the average keenness 1.
    log_keenness_scale: f64,
}

/// Someone who shops.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shopper {
    /// Number in the events.
    pub(crate) user_id: u64,
    /// How readily they put something into the basket; 1 on average over the visits.
    pub(crate) keenness: f64,
    key: u64,
}

impl Population {
    pub(crate) fn new(seed: Seed, places: f64, habits: &PeopleHabits) -> Self {
        const STEPS: u32 = 1_000;
        let power = habits.inequality;
        let flatten = flatten(power);
        let below = libm::pow(flatten, power);
        let mut population = Self {
            seed,
            places: places.max(1.0),
            flatten,
            below,
            log_rarest: libm::log((1.0 - below) / (power * (1.0 - flatten))),
            habits: habits.clone(),
            log_keenness_scale: 0.0,
        };
        let drawn = (0..STEPS).map(|step| (f64::from(step) + 0.5) / f64::from(STEPS));
        let damped = drawn.map(|drawn| {
            let log_often = population.log_often(population.log_at(drawn));
            libm::exp(-habits.keenness_damping * log_often)
        });
        let sigma = habits.keenness_sigma;
        population.log_keenness_scale = -libm::log(damped.sum::<f64>() / f64::from(STEPS)) - sigma * sigma / 2.0;
        population
    }

    /// Who comes at that time, for a number drawn from [0, 1): a few come often, most of them rarely.
    pub(crate) fn arrive(&self, unix_micros: i64, drawn: f64) -> Shopper {
        let habits = &self.habits;
        let log_at = self.log_at(drawn);
        let part = (libm::exp(habits.inequality * log_at) - self.below) / (1.0 - self.below);
        let place = (part * self.places).min(self.places - 1.0) as u64;
        let key = self.seed.of(Purpose::Place, place);
        let log_often = self.log_often(log_at);
        let log_keenness = habits.keenness_sigma * normal(mix(key ^ 2)) - habits.keenness_damping * log_often;
        let log_days = habits.days_mu
            + habits.days_sigma * normal(key)
            + habits.loyalty * log_often
            + habits.loyalty_of_buyers * log_keenness;
        let stays = unix_micros as f64 / DAY_MICROS as f64 * libm::exp(-log_days) + unit(mix(key ^ 1));
        let key = self
            .seed
            .of(Purpose::Person, key.wrapping_add(libm::floor(stays) as i64 as u64));
        Shopper {
            user_id: 100_000_000_000 + key % 900_000_000_000,
            keenness: libm::exp(log_keenness + self.log_keenness_scale),
            key,
        }
    }

    /// The logarithm of where on the power curve a draw falls.
    fn log_at(&self, drawn: f64) -> f64 {
        libm::log(self.flatten + (1.0 - self.flatten) * drawn)
    }

    /// The logarithm of how often those come on whom a draw falls, in relation to the mean.
    fn log_often(&self, log_at: f64) -> f64 {
        self.log_rarest - (self.habits.inequality - 1.0) * log_at
    }

    /// The category of a visit, for a number drawn from [0, 1): mostly what they like.
    pub(crate) fn taste(&self, shopper: Shopper, catalogue: &Catalogue, drawn: f64) -> u16 {
        let mut until = 0.0;
        for (rank, share) in (0..).zip(self.habits.taste) {
            until += share;
            if drawn < until {
                return self.favourite(shopper, catalogue, rank);
            }
        }
        catalogue.category((drawn - until) / (1.0 - until))
    }

    fn favourite(&self, shopper: Shopper, catalogue: &Catalogue, rank: u64) -> u16 {
        catalogue.category(unit(mix(shopper.key.wrapping_add(16 + rank))))
    }

    /// One of the products that they buy again and again, for a number drawn from [0, 1).
    pub(crate) fn staple(&self, shopper: Shopper, catalogue: &Catalogue, drawn: f64) -> u32 {
        // The first of them more often than the others.
        let which = (drawn * drawn * 4.0) as u64;
        let category = self.favourite(shopper, catalogue, which % 3);
        catalogue.appealing_in(category, mix(shopper.key.wrapping_add(32 + which)))
    }
}

/// The start of the part of the power curve that is used, such that it begins with [`BUSIEST`].
fn flatten(power: f64) -> f64 {
    let often = |f: f64| (1.0 - libm::pow(f, power)) / (power * (1.0 - f) * libm::pow(f, power - 1.0));
    let (mut low, mut high) = (1e-9, 1.0 - 1e-9);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        match often(middle) > BUSIEST {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

/// A number drawn nearly from the standard normal distribution by the bits of `key`: a sum of four uniform ones, which is
/// bounded and the same on every machine.
fn normal(key: u64) -> f64 {
    let sum: u64 = (0..4).map(|at| key >> (16 * at) & 0xffff).sum();
    (sum as f64 / 65_536.0 - 2.0) * 1.732_050_8
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn population(places: f64) -> Population {
        Population::new(Seed(3), places, &PeopleHabits::default())
    }

    #[test]
    fn a_few_come_often_and_most_rarely() {
        let population = population(10_000.0);
        let mut visits: HashMap<u64, u32> = HashMap::new();
        for at in 0..100_000 {
            let shopper = population.arrive(20_000 * DAY_MICROS, f64::from(at) / 1e5);
            *visits.entry(shopper.user_id).or_default() += 1;
        }
        let mut visits: Vec<u32> = visits.into_values().collect();
        visits.sort_unstable();
        let (median, most) = (visits[visits.len() / 2], visits[visits.len() - 1]);
        assert!(median < 7, "{median}");
        // At most 300 times the mean of 10.
        assert!((500..3_000).contains(&most), "{most}");
    }

    #[test]
    fn people_remain_for_a_while_and_then_others_come() {
        let population = population(1_000.0);
        let users = |day: i64| -> Vec<u64> {
            (0..1_000)
                .map(|at| population.arrive(day * DAY_MICROS, f64::from(at) / 1e3).user_id)
                .collect()
        };
        let same = |a: &[u64], b: &[u64]| a.iter().zip(b).filter(|(a, b)| a == b).count();
        let first = users(20_000);
        assert_eq!(first, users(20_000));
        let (next_day, next_month, next_year) = (
            same(&first, &users(20_001)),
            same(&first, &users(20_030)),
            same(&first, &users(20_365)),
        );
        assert!(next_day > 950 && next_day > next_month && next_month > next_year && next_year < 700);
    }

    #[test]
    fn draws_are_nearly_normal() {
        let draws: Vec<f64> = (0..100_000).map(|index| normal(mix(index))).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean}, {variance}");
        let outside = draws.iter().filter(|draw| draw.abs() > 1.96).count() as f64 / 1e5;
        assert!((0.03..0.06).contains(&outside), "{outside}");
    }
}
