use std::num::NonZeroU32;

use rand::RngExt;

use crate::catalogue::Catalogue;
use crate::seed::{Purpose, Seed, ShopRng, mix, unit};

/// Someone who shops. All about them follows from the seed and their index, so a million of them take no memory.
#[derive(Debug, Clone)]
pub(crate) struct Shopper {
    index: u32,
    /// The departments they like, the best one first.
    favourites: [u16; 3],
    /// How easily they put something into the basket; 1 on average.
    pub(crate) keenness: f64,
}

/// The people who may come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Population {
    size: u32,
}

impl Population {
    pub(crate) fn new(size: NonZeroU32) -> Self {
        Self { size: size.get() }
    }

    /// Who comes next: a few come often, most of them rarely.
    pub(crate) fn arrive(self, seed: Seed, catalogue: &Catalogue, rng: &mut ShopRng) -> Shopper {
        // A power of a uniform number has a heavy tail; the 0.05 keeps the very first from coming all the time.
        const FLATTEN: f64 = 0.05;
        let x = FLATTEN + (1.0 - FLATTEN) * rng.random::<f64>();
        let index = (x * x * x - FLATTEN * FLATTEN * FLATTEN) * f64::from(self.size);
        Shopper::new((index as u32).min(self.size - 1), seed, catalogue)
    }
}

impl Shopper {
    fn new(index: u32, seed: Seed, catalogue: &Catalogue) -> Self {
        let mut number = seed.of(Purpose::Shopper, index.into());
        let mut next = || {
            number = mix(number);
            unit(number)
        };
        let favourites = std::array::from_fn(|_| catalogue.department(next()));
        // The product of two uniform numbers: many hardly ever buy, a few do at most visits.
        let keenness = 4.0 * next() * next();
        Self {
            index,
            favourites,
            keenness,
        }
    }

    /// What they have come for: mostly what they like.
    pub(crate) fn department(&self, catalogue: &Catalogue, rng: &mut ShopRng) -> u16 {
        match rng.random::<f64>() {
            ..0.40 => self.favourites[0],
            ..0.60 => self.favourites[1],
            ..0.70 => self.favourites[2],
            _ => catalogue.department(rng.random()),
        }
    }

    /// Their number in the events, which doesn't show how often they come.
    pub(crate) fn user_id(&self) -> u64 {
        // An odd factor permutes the numbers below a power of two.
        const FIRST: u64 = 100_000_000;
        FIRST + u64::from(self.index.wrapping_mul(2_654_435_761))
    }
}
