//! How events are delivered: once or twice, at once or late, in order or not.

use ecom_stream::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::event::{CopyKind, SimulatedEvent};
use crate::micros::HOUR_MICROS;
use crate::random::{Purpose, Seed, mix, unit};

/// How events are delivered: the shares of all events that are duplicated, altered, late or out of order.
///
/// Late events and copies are part of the simulation, not of the file format: [`ShopSource`](crate::ShopSource)
/// delivers them, too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Delivery {
    /// Share of events that are sent twice with the same content, as by a producer that retries. The default is 0.001.
    pub duplicate: f64,
    /// Share of events that are sent again with the same id and time, but with different content.
    pub altered: f64,
    /// Share of events that are late.
    pub late: f64,
    /// Median delay of late events in seconds; the delay is lognormal. The default is 600.
    pub late_median_seconds: f64,
    /// Standard deviation of the logarithm of that delay. The default is 1.
    pub late_sigma: f64,
    /// Share of events that are delivered after events which happened a little later.
    pub out_of_order: f64,
    /// Maximum delay of out-of-order events in seconds. The default is 5.
    pub out_of_order_seconds: f64,
}

/// The longest delay of a late event.
const MAX_DELAY_MICROS: i64 = 6 * HOUR_MICROS;
/// A copy follows its original within this time.
const MAX_COPY_DELAY_MICROS: f64 = 3e6;

impl Default for Delivery {
    fn default() -> Self {
        Self {
            duplicate: 0.001,
            altered: 0.0,
            late: 0.0,
            late_median_seconds: 600.0,
            late_sigma: 1.0,
            out_of_order: 0.0,
            out_of_order_seconds: 5.0,
        }
    }
}

impl Delivery {
    /// Delivers each event once, at once.
    pub fn exact() -> Self {
        Self {
            duplicate: 0.0,
            ..Self::default()
        }
    }

    /// A few late events, out-of-order events and altered copies. It goes with [`Dirt::light`](crate::Dirt::light).
    pub fn light() -> Self {
        Self {
            altered: 0.000_2,
            late: 0.005,
            out_of_order: 0.01,
            ..Self::default()
        }
    }

    /// Many late events, out-of-order events and copies. It goes with [`Dirt::heavy`](crate::Dirt::heavy).
    pub fn heavy() -> Self {
        Self {
            duplicate: 0.01,
            altered: 0.005,
            late: 0.02,
            out_of_order: 0.05,
            ..Self::default()
        }
    }

    /// Checks the shares and times.
    ///
    /// # Errors
    ///
    /// If a share is outside 0 to 1; if the shares of copies, or those of delays, add up to more than 1; or if a number
    /// of seconds is negative or not finite.
    pub fn check(&self) -> Result<()> {
        for (what, shares) in [
            ("duplicate and altered", [self.duplicate, self.altered]),
            ("late and out-of-order", [self.late, self.out_of_order]),
        ] {
            let sum = shares.iter().sum::<f64>();
            if !shares.iter().all(|share| (0.0..=1.0).contains(share)) || sum > 1.0 {
                let message = format!("the shares of {what} events are {shares:?}, which add up to {sum}");
                return Err(Error::new(ErrorKind::Configuration, message)
                    .hint("each share must be between 0 and 1, and so must their sum"));
            }
        }
        for (what, number) in [
            ("late_median_seconds", self.late_median_seconds),
            ("late_sigma", self.late_sigma),
            ("out_of_order_seconds", self.out_of_order_seconds),
        ] {
            if !number.is_finite() || number < 0.0 {
                let message = format!("{what} is {number}");
                return Err(
                    Error::new(ErrorKind::Configuration, message).hint("it must be a finite number of at least 0")
                );
            }
        }
        Ok(())
    }

    /// The longest time from an event to its last delivery.
    pub(crate) fn longest_delay(&self) -> i64 {
        let copy = if self.duplicate > 0.0 || self.altered > 0.0 {
            MAX_COPY_DELAY_MICROS as i64
        } else {
            0
        };
        let late = if self.late > 0.0 { MAX_DELAY_MICROS } else { 0 };
        let out_of_order = match self.out_of_order > 0.0 {
            true => self.out_of_order_micros(1.0),
            false => 0,
        };
        copy + late.max(out_of_order)
    }

    fn out_of_order_micros(&self, part: f64) -> i64 {
        ((part * self.out_of_order_seconds * 1e6) as i64).clamp(0, MAX_DELAY_MICROS)
    }

    /// Whether an event is sent twice. The answer is the same for the original and for the copy.
    pub(crate) fn has_copy(&self, seed: Seed, event: &SimulatedEvent) -> bool {
        self.copied(key(seed, event)) != CopyKind::Original
    }

    /// How the original of an event arrives.
    pub(crate) fn arrival(&self, seed: Seed, event: &SimulatedEvent) -> Arrival {
        self.arrival_of(key(seed, event))
    }

    /// Delays some of the events, and appends copies of some.
    pub(crate) fn apply(&self, seed: Seed, events: &mut Vec<SimulatedEvent>) {
        let any_copies = self.duplicate > 0.0 || self.altered > 0.0;
        let any_delays = self.late > 0.0 || self.out_of_order > 0.0;
        if !any_copies && !any_delays {
            return;
        }
        for at in 0..events.len() {
            let event = &mut events[at];
            let key = key(seed, event);
            if any_delays {
                event.delivered += self.delay(key);
            }
            let mut copy = *event;
            copy.copy = self.copied(key);
            if copy.copy == CopyKind::Original {
                continue;
            }
            copy.delivered += 1 + (unit(mix(key ^ 2)) * MAX_COPY_DELAY_MICROS) as i64;
            if copy.copy == CopyKind::Altered {
                copy.quantity = copy.quantity.wrapping_add(1).max(1);
            }
            events.push(copy);
        }
    }

    fn copied(&self, key: u64) -> CopyKind {
        match unit(mix(key ^ 1)) {
            dice if dice < self.duplicate => CopyKind::Exact,
            dice if dice < self.duplicate + self.altered => CopyKind::Altered,
            _ => CopyKind::Original,
        }
    }

    fn arrival_of(&self, key: u64) -> Arrival {
        match unit(key) {
            dice if dice < self.late => Arrival::Late,
            dice if dice < self.late + self.out_of_order => Arrival::OutOfOrder,
            _ => Arrival::AtOnce,
        }
    }

    fn delay(&self, key: u64) -> i64 {
        let part = unit(mix(key ^ 3));
        match self.arrival_of(key) {
            Arrival::Late => {
                // The scaled logistic quantile function is close to that of the normal distribution.
                let normal = libm::log(part.max(1e-9) / (1.0 - part).max(1e-9)) / 1.702;
                let seconds = self.late_median_seconds * libm::exp(self.late_sigma * normal);
                ((seconds * 1e6) as i64).clamp(0, MAX_DELAY_MICROS)
            }
            Arrival::OutOfOrder => self.out_of_order_micros(part),
            Arrival::AtOnce => 0,
        }
    }
}

/// How an event arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    AtOnce,
    Late,
    OutOfOrder,
}

/// The random number that decides about the delivery of an event and of its copy.
fn key(seed: Seed, event: &SimulatedEvent) -> u64 {
    seed.of(
        Purpose::Delivery,
        event.session.wrapping_add(u64::from(event.step) << 48),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_times_are_checked() {
        for delivery in [
            Delivery::exact(),
            Delivery::default(),
            Delivery::light(),
            Delivery::heavy(),
        ] {
            delivery.check().unwrap();
        }
        let breaks: [fn(&mut Delivery); 6] = [
            |delivery| (delivery.duplicate, delivery.altered) = (0.6, 0.6),
            |delivery| (delivery.late, delivery.out_of_order) = (0.6, 0.6),
            |delivery| delivery.late = -0.1,
            |delivery| delivery.duplicate = f64::NAN,
            |delivery| delivery.late_median_seconds = -1.0,
            |delivery| delivery.out_of_order_seconds = f64::INFINITY,
        ];
        for break_it in breaks {
            let mut delivery = Delivery::default();
            break_it(&mut delivery);
            assert!(delivery.check().is_err(), "{delivery:?}");
        }
    }
}
