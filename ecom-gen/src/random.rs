//! Random numbers that follow from the seed of the shop.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

/// The random number generator of the whole model. It gives the same numbers on every machine and in every version, and
/// it is cheap to seed: every visit has a generator of its own.
pub(crate) type ShopRng = Xoshiro256PlusPlus;

/// The seed of a shop. All random numbers derive from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

/// What a random number is used for. Each purpose has a sequence of its own, independent of the others.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Catalogue = 1,
    VisitCount,
    Visit,
    ShopperSlot,
    Shopper,
    Price,
    Bot,
    Delivery,
    Fault,
    File,
}

impl Seed {
    /// A generator for the entity with this index.
    pub(crate) fn rng(self, purpose: Purpose, index: u64) -> ShopRng {
        ShopRng::seed_from_u64(self.of(purpose, index))
    }

    /// A random number for the entity with this index. It is always the same for one index, and different for each
    /// index.
    pub(crate) fn of(self, purpose: Purpose, index: u64) -> u64 {
        mix(mix(self.0.wrapping_add(purpose as u64)).wrapping_add(index))
    }
}

/// The finaliser of SplitMix64: a bijection on 64-bit numbers whose output looks random.
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in [0, 1) from the upper bits of `number`.
pub(crate) fn unit(number: u64) -> f64 {
    (number >> 11) as f64 * f64::EPSILON / 2.0
}

/// Draws from a lognormal distribution. It uses `libm` because the system's `exp` may differ in the last bit.
pub(crate) fn lognormal(rng: &mut ShopRng, mu: f64, sigma: f64) -> f64 {
    let normal: f64 = rng.sample(StandardNormal);
    libm::exp(mu + sigma * normal)
}

/// Draws `true` with this probability.
pub(crate) fn chance(rng: &mut ShopRng, probability: f64) -> bool {
    rng.random::<f64>() < probability
}
