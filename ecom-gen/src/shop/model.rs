//! The model of an open shop: everything that is fixed before its first event.

use rand_distr::{Distribution, Poisson};

use super::calendar::Calendar;
use super::delivery::Delivery;
use super::id_version::IdVersion;
use super::population::Population;
use super::scenario::Scenarios;
use crate::catalogue::Catalogue;
use crate::parameters::ModelParameters;
use crate::random::{Purpose, Seed};

/// The model of a shop. It describes the shop at any time, also before its start.
///
/// The visits that begin in a slice of time, with all their events, follow from the seed and the number of the slice
/// alone. So slices can be simulated in any order, on any number of threads, beginning with any slice.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) seed: Seed,
    pub(crate) slice_micros: i64,
    pub(crate) parameters: ModelParameters,
    pub(crate) catalogue: Catalogue,
    pub(crate) population: Population,
    pub(crate) calendar: Calendar,
    pub(crate) scenarios: Scenarios,
    pub(crate) delivery: Delivery,
    pub(crate) ids: IdVersion,
    pub(crate) events_per_slice: f64,
    pub(super) visits_per_slice: f64,
}

impl Model {
    /// The number of visits that begin in a slice.
    pub(crate) fn visits_in(&self, slice: i64) -> u32 {
        let middle = slice.saturating_mul(self.slice_micros) + self.slice_micros / 2;
        let busy = self.calendar.visit_factor(self.calendar.local(middle)) * self.scenarios.visit_factor(middle);
        let mean = self.visits_per_slice * busy;
        let mut rng = self.seed.rng(Purpose::VisitCount, slice as u64);
        Poisson::new(mean).map_or(0.0, |poisson| poisson.sample(&mut rng)) as u32
    }

    /// The slice of a time.
    pub(crate) fn slice_at(&self, unix_micros: i64) -> i64 {
        unix_micros.div_euclid(self.slice_micros)
    }
}
