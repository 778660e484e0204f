use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

/// The generator of random numbers everywhere in the model: the same numbers on every machine and in every version, and
/// quickly seeded, since every visit has one of its own.
pub(crate) type ShopRng = Xoshiro256PlusPlus;

/// What all randomness comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

/// What a random number is for, so that one purpose's numbers don't depend on another's.
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
    pub(crate) fn rng(self, purpose: Purpose, index: u64) -> ShopRng {
        ShopRng::seed_from_u64(self.of(purpose, index))
    }

    /// A number that belongs to the entity with that index, whenever it is asked for: different for each index.
    pub(crate) fn of(self, purpose: Purpose, index: u64) -> u64 {
        mix(mix(self.0.wrapping_add(purpose as u64)).wrapping_add(index))
    }
}

/// The finaliser of SplitMix64, which maps no two numbers to the same one.
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in [0, 1) of the bits of `number`.
pub(crate) fn unit(number: u64) -> f64 {
    (number >> 11) as f64 * f64::EPSILON / 2.0
}

/// A draw from a lognormal distribution. `libm` rather than the system's `exp`, which may differ in the last bit.
pub(crate) fn lognormal(rng: &mut ShopRng, mu: f64, sigma: f64) -> f64 {
    let normal: f64 = rng.sample(StandardNormal);
    libm::exp(mu + sigma * normal)
}

/// A draw of a yes with that probability.
pub(crate) fn chance(rng: &mut ShopRng, probability: f64) -> bool {
    rng.random::<f64>() < probability
}
