use time::OffsetDateTime;

use super::calendar::Calendar;
use super::delivery::Delivery;
use super::id_version::IdVersion;
use super::scenario::Scenario;
use crate::catalogue::MAX_PRODUCTS;
use crate::micros::{DAY_MICROS, micros};
use crate::parameters::{ModelParameters, ParameterError};
use crate::rate::Rate;
use crate::zone::Zone;

/// What makes a [`Shop`](crate::Shop). Every value has a part in which events come out.
#[derive(Debug, Clone)]
pub struct ShopBuilder {
    pub(crate) seed: u64,
    pub(crate) start: OffsetDateTime,
    pub(crate) rate: Rate,
    pub(crate) products: u32,
    pub(crate) shoppers: Option<u64>,
    pub(crate) zone: Zone,
    pub(crate) parameters: ModelParameters,
    pub(crate) delivery: Delivery,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) ids: IdVersion,
}

impl ShopBuilder {
    /// As many products as a shop sells unless it is said.
    pub const PRODUCTS: u32 = 10_000;
    /// As many products as a shop can sell.
    pub const MAX_PRODUCTS: u32 = MAX_PRODUCTS;

    pub(crate) fn new(seed: u64, start: OffsetDateTime) -> Self {
        Self {
            seed,
            start,
            rate: Rate::default(),
            products: Self::PRODUCTS,
            shoppers: None,
            zone: Zone::UTC,
            parameters: ModelParameters::default(),
            delivery: Delivery::default(),
            scenarios: Vec::new(),
            ids: IdVersion::default(),
        }
    }

    /// When its first event lies, in place of what was given to [`Shop::builder`](crate::Shop::builder).
    #[must_use]
    pub fn start(mut self, start: OffsetDateTime) -> Self {
        self.start = start;
        self
    }

    /// When its first event lies, or soon after.
    pub fn starts_at(&self) -> OffsetDateTime {
        self.start
    }

    /// How many events it has per second of its own time, on average over a week, in place of 500.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = rate;
        self
    }

    /// How many products it sells, in place of [`PRODUCTS`](Self::PRODUCTS); at least one of each category, and at most
    /// [`MAX_PRODUCTS`](Self::MAX_PRODUCTS).
    #[must_use]
    pub fn products(mut self, products: u32) -> Self {
        self.products = products.min(MAX_PRODUCTS);
        self
    }

    /// How many people shop here at a time, at least 1; unless set, as many as make a large shop's number of visits each.
    #[must_use]
    pub fn shoppers(mut self, shoppers: u64) -> Self {
        self.shoppers = Some(shoppers);
        self
    }

    /// Where the shop has its day and its week, in place of UTC.
    #[must_use]
    pub fn zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// What the shop and its shoppers are like.
    ///
    /// # Errors
    ///
    /// Those of [`ModelParameters::check`].
    pub fn parameters(mut self, parameters: ModelParameters) -> Result<Self, ParameterError> {
        parameters.check()?;
        self.parameters = parameters;
        Ok(self)
    }

    /// How events leave the shop: in place of the default, of which one in a thousand is sent twice.
    #[must_use]
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Something out of the ordinary, besides what was given before.
    #[must_use]
    pub fn scenario(mut self, scenario: Scenario) -> Self {
        self.scenarios.push(scenario);
        self
    }

    /// Which UUIDs the events have, in place of version 7.
    #[must_use]
    pub fn ids(mut self, ids: IdVersion) -> Self {
        self.ids = ids;
        self
    }

    /// Moves the start such that about `events` events lie between it and `end`, and almost surely not fewer.
    #[must_use]
    pub fn ending_at(mut self, end: OffsetDateTime, events: u64) -> Self {
        const STEP_MICROS: i64 = 600_000_000;
        const LONGEST_MICROS: i64 = 1_000 * 366 * DAY_MICROS;
        let calendar = Calendar::new(&self.parameters.seasonality, self.zone.clone());
        let rate = self.rate.events_per_second() / 1e6;
        let events = events as f64;
        // The time that a number of events takes is random. Visits make their number vary about 8 times as much as
        // independent events would; five standard deviations are allowed for. And the rate holds over a week: within an hour
        // it is off by a few parts in a hundred.
        let mut wanted = 1.04 * events + 5.0 * (8.0 * events).sqrt();
        let end_micros = micros(end);
        let mut passed = 0;
        while wanted > 0.0 && passed < LONGEST_MICROS {
            let middle = end_micros - passed - STEP_MICROS / 2;
            let rate = rate * calendar.visit_factor(calendar.local(middle));
            let step = (wanted / rate).min(STEP_MICROS as f64);
            wanted -= rate * step;
            passed += step as i64 + 1;
        }
        self.start = end.saturating_sub(time::Duration::microseconds(passed));
        self
    }
}
