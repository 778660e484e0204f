//! The population of shoppers: who visits, how often, and with which preferences.

use crate::catalogue::Catalogue;
use crate::micros::DAY_MICROS;
use crate::parameters::ShopperParameters;
use crate::random::{Purpose, Seed, mix, unit};

/// How much more often the most frequent visitor comes than an average shopper.
const MAX_VISIT_RATIO: f64 = 300.0;

/// All people who may visit the shop. Everything about them derives from the seed, so that even a billion of them take
/// no memory.
///
/// The population has a fixed number of slots, as many as there are shoppers at one time. A slot determines how often
/// its shopper visits and for how long a person stays; when a person leaves for good, another takes the slot.
#[derive(Debug, Clone)]
pub(crate) struct Population {
    seed: Seed,
    slots: f64,
    parameters: ShopperParameters,
    /// Where the used part of the power curve begins, which limits the share of the busiest slots, and its height
    /// there.
    curve_start: f64,
    curve_start_height: f64,
    /// The logarithm of the visit frequency at the end of the curve.
    log_rarest: f64,
    /// Scales the average propensity to 1.
    log_propensity_scale: f64,
}

/// A person who visits the shop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shopper {
    /// The user id in the events.
    pub(crate) user_id: u64,
    /// How readily this person adds products to the cart; the average over all visits is 1.
    pub(crate) propensity: f64,
    key: u64,
}

impl Population {
    pub(crate) fn new(seed: Seed, slots: f64, parameters: &ShopperParameters) -> Self {
        const STEPS: u32 = 1_000;
        let power = parameters.inequality;
        let curve_start = find_curve_start(power);
        let curve_start_height = libm::pow(curve_start, power);
        let mut population = Self {
            seed,
            slots: slots.max(1.0),
            curve_start,
            curve_start_height,
            log_rarest: libm::log((1.0 - curve_start_height) / (power * (1.0 - curve_start))),
            parameters: parameters.clone(),
            log_propensity_scale: 0.0,
        };
        let drawn = (0..STEPS).map(|step| (f64::from(step) + 0.5) / f64::from(STEPS));
        let damped = drawn.map(|drawn| {
            let log_often = population.log_often(population.log_at(drawn));
            libm::exp(-parameters.propensity_damping * log_often)
        });
        let sigma = parameters.propensity_sigma;
        population.log_propensity_scale = -libm::log(damped.sum::<f64>() / f64::from(STEPS)) - sigma * sigma / 2.0;
        population
    }

    /// The shopper of a visit at this time, for a number drawn from [0, 1). A few shoppers visit often, most of them
    /// rarely.
    pub(crate) fn visitor(&self, unix_micros: i64, drawn: f64) -> Shopper {
        let parameters = &self.parameters;
        let log_at = self.log_at(drawn);
        let part =
            (libm::exp(parameters.inequality * log_at) - self.curve_start_height) / (1.0 - self.curve_start_height);
        let slot = (part * self.slots).min(self.slots - 1.0) as u64;
        let key = self.seed.of(Purpose::ShopperSlot, slot);
        let log_often = self.log_often(log_at);
        let log_propensity =
            parameters.propensity_sigma * normal(mix(key ^ 2)) - parameters.propensity_damping * log_often;
        let log_days = parameters.lifetime_days_mu
            + parameters.lifetime_days_sigma * normal(key)
            + parameters.loyalty * log_often
            + parameters.loyalty_of_buyers * log_propensity;
        let stays = unix_micros as f64 / DAY_MICROS as f64 * libm::exp(-log_days) + unit(mix(key ^ 1));
        let key = self
            .seed
            .of(Purpose::Shopper, key.wrapping_add(libm::floor(stays) as i64 as u64));
        Shopper {
            user_id: 100_000_000_000 + key % 900_000_000_000,
            propensity: libm::exp(log_propensity + self.log_propensity_scale),
            key,
        }
    }

    /// The logarithm of the point on the power curve for a drawn number.
    fn log_at(&self, drawn: f64) -> f64 {
        libm::log(self.curve_start + (1.0 - self.curve_start) * drawn)
    }

    /// The logarithm of a shopper's visit frequency, relative to the mean.
    fn log_often(&self, log_at: f64) -> f64 {
        self.log_rarest - (self.parameters.inequality - 1.0) * log_at
    }

    /// The category of a visit, for a number drawn from [0, 1): mostly one of the shopper's favourites.
    pub(crate) fn taste(&self, shopper: Shopper, catalogue: &Catalogue, drawn: f64) -> u16 {
        let mut until = 0.0;
        for (rank, share) in (0..).zip(self.parameters.taste) {
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

    /// One of the products that this shopper buys regularly, for a number drawn from [0, 1).
    pub(crate) fn staple(&self, shopper: Shopper, catalogue: &Catalogue, drawn: f64) -> u32 {
        // The first of them is drawn more often than the others.
        let which = (drawn * drawn * 4.0) as u64;
        let category = self.favourite(shopper, catalogue, which % 3);
        catalogue.most_appealing_in(category, mix(shopper.key.wrapping_add(32 + which)))
    }
}

/// The start of the used part of the power curve, chosen such that the highest frequency is [`MAX_VISIT_RATIO`].
fn find_curve_start(power: f64) -> f64 {
    let often = |f: f64| (1.0 - libm::pow(f, power)) / (power * (1.0 - f) * libm::pow(f, power - 1.0));
    let (mut low, mut high) = (1e-9, 1.0 - 1e-9);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        match often(middle) > MAX_VISIT_RATIO {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

/// A nearly normal number for `key`: the sum of four uniform ones, which is bounded and the same on every machine.
fn normal(key: u64) -> f64 {
    let sum: u64 = (0..4).map(|at| key >> (16 * at) & 0xffff).sum();
    (sum as f64 / 65_536.0 - 2.0) * 1.732_050_8
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn population(slots: f64) -> Population {
        Population::new(Seed(3), slots, &ShopperParameters::default())
    }

    #[test]
    fn a_few_shoppers_visit_often_and_most_rarely() {
        let population = population(10_000.0);
        let mut visits: HashMap<u64, u32> = HashMap::new();
        for at in 0..100_000 {
            let shopper = population.visitor(20_000 * DAY_MICROS, f64::from(at) / 1e5);
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
    fn shoppers_are_replaced_over_time() {
        let population = population(1_000.0);
        let users = |day: i64| -> Vec<u64> {
            (0..1_000)
                .map(|at| population.visitor(day * DAY_MICROS, f64::from(at) / 1e3).user_id)
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
