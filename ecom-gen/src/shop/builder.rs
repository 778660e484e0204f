//! The options of a shop.

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

/// The options of a [`Shop`](crate::Shop). Each of them influences the events.
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
    /// The default number of products.
    pub const PRODUCTS: u32 = 10_000;
    /// The largest number of products.
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

    /// Sets the start of the shop, in place of the one given to [`Shop::builder`](crate::Shop::builder).
    #[must_use]
    pub fn start(mut self, start: OffsetDateTime) -> Self {
        self.start = start;
        self
    }

    /// The start of the shop: its first event happens at this time or soon after.
    pub fn starts_at(&self) -> OffsetDateTime {
        self.start
    }

    /// Sets the number of events per second of the shop's own time, averaged over a week. The default is 500.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = rate;
        self
    }

    /// Sets the number of products; the default is [`PRODUCTS`](Self::PRODUCTS). There is at least one product in each
    /// category, and at most [`MAX_PRODUCTS`](Self::MAX_PRODUCTS) in all.
    #[must_use]
    pub fn products(mut self, products: u32) -> Self {
        self.products = products.min(MAX_PRODUCTS);
        self
    }

    /// Sets the number of people who are shoppers at one time, at least 1. By default it follows from the rate and from
    /// [`visits_a_month`](crate::parameters::ShopperParameters::visits_a_month).
    #[must_use]
    pub fn shoppers(mut self, shoppers: u64) -> Self {
        self.shoppers = Some(shoppers);
        self
    }

    /// Sets the time zone of the shop's hours and weekdays. The default is UTC.
    #[must_use]
    pub fn zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// Sets the parameters of the model.
    ///
    /// # Errors
    ///
    /// Those of [`ModelParameters::check`].
    pub fn parameters(mut self, parameters: ModelParameters) -> Result<Self, ParameterError> {
        parameters.check()?;
        self.parameters = parameters;
        Ok(self)
    }

    /// Sets how events are delivered. By default one event in a thousand is sent twice.
    #[must_use]
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Adds a scenario to those added before.
    #[must_use]
    pub fn scenario(mut self, scenario: Scenario) -> Self {
        self.scenarios.push(scenario);
        self
    }

    /// Sets the version of the UUIDs of the events. The default is version 7.
    #[must_use]
    pub fn ids(mut self, ids: IdVersion) -> Self {
        self.ids = ids;
        self
    }

    /// Moves the start so that at least about `events` events happen between it and `end`. Slightly fewer are possible,
    /// but very unlikely.
    #[must_use]
    pub fn ending_at(mut self, end: OffsetDateTime, events: u64) -> Self {
        const STEP_MICROS: i64 = 600_000_000;
        const LONGEST_MICROS: i64 = 1_000 * 366 * DAY_MICROS;
        let calendar = Calendar::new(&self.parameters.seasonality, self.zone.clone());
        let rate = self.rate.events_per_second() / 1e6;
        let events = events as f64;
        // The number of events in a time span is random. Since they come in visits, its variance is about 8 times that
        // of independent events; the span allows for five standard deviations. It also allows for 4 %, because the rate
        // is an average over a week and deviates by a few percent within an hour.
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
