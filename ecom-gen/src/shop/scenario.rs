//! What happens now and then to a shop.

use std::ops::Range;

use time::OffsetDateTime;

use super::event::{CopyKind, SimulatedEvent};
use crate::micros::{HOUR_MICROS, micros};
use crate::random::{Purpose, Seed, mix, unit};

/// Something out of the ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scenario {
    /// A sale: two and a half times as many visits, twice as many products into the baskets, and a smaller part of them
    /// bought, since people compare.
    Campaign {
        /// When it begins.
        from: OffsetDateTime,
        /// When it is over.
        until: OffsetDateTime,
    },
    /// A program that looks at one product after another, day after day from one to seven o'clock UTC, some 20,000 a day,
    /// as one user.
    Bot,
    /// Nothing leaves the shop for a while; it then catches up, twenty times as fast as the events came in. What waits is
    /// kept in memory, some 60 bytes an event: 100 MB for an hour at 500/s.
    Outage {
        /// The first event at which nothing is delivered.
        from: OffsetDateTime,
        /// When it begins to catch up.
        until: OffsetDateTime,
    },
}

const CAMPAIGN_VISITS: f64 = 2.5;
/// Of the events twice as many are carts then, since one visit fills few of them.
const CAMPAIGN_CART: f64 = 2.8;
const CAMPAIGN_BUY: f64 = 0.55;

const BOT_HOURS: Range<i64> = 1..7;
const BOT_PAUSE_MICROS: i64 = 1_080_000;

const CATCH_UP_SPEED: i64 = 20;

/// All scenarios of a shop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scenarios {
    campaigns: Vec<Range<i64>>,
    outages: Vec<Range<i64>>,
    bot: bool,
}

impl Scenarios {
    pub(crate) fn new(scenarios: &[Scenario]) -> Self {
        let mut all = Self::default();
        for scenario in scenarios {
            match *scenario {
                Scenario::Campaign { from, until } => all.campaigns.push(micros(from)..micros(until)),
                Scenario::Outage { from, until } => all.outages.push(micros(from)..micros(until)),
                Scenario::Bot => all.bot = true,
            }
        }
        all.outages.sort_unstable_by_key(|outage| outage.start);
        all
    }

    /// How many times as many come.
    pub(crate) fn visit_factor(&self, at: i64) -> f64 {
        if self.in_campaign(at) { CAMPAIGN_VISITS } else { 1.0 }
    }

    /// How many times as much goes into the baskets, and how many times as many of these are bought.
    pub(crate) fn cart_and_purchase_factors(&self, at: i64) -> (f64, f64) {
        match self.in_campaign(at) {
            true => (CAMPAIGN_CART, CAMPAIGN_BUY),
            false => (1.0, 1.0),
        }
    }

    fn in_campaign(&self, at: i64) -> bool {
        self.campaigns.iter().any(|campaign| campaign.contains(&at))
    }

    /// When something that would be delivered at `at` is delivered. Keeps the order.
    pub(crate) fn delivery_time(&self, mut at: i64) -> i64 {
        for outage in &self.outages {
            let caught_up = outage.end + (outage.end - outage.start) / (CATCH_UP_SPEED - 1);
            if outage.contains(&at) {
                at = outage.end + (at - outage.start) / CATCH_UP_SPEED;
            } else if (outage.end..caught_up).contains(&at) {
                // The queue goes on to be worked off while more comes in.
                at = outage.end + (at - outage.start) / CATCH_UP_SPEED;
                debug_assert!(at <= caught_up);
            }
        }
        at
    }

    /// The earliest time at which something was to be delivered that is delivered at `at` or later.
    pub(crate) fn earliest_send_time(&self, at: i64) -> i64 {
        self.outages.iter().rev().fold(at, |at, outage| {
            let caught_up = outage.end + (outage.end - outage.start) / (CATCH_UP_SPEED - 1);
            match at > outage.start && at <= caught_up {
                true => at.min(outage.start + (at - outage.end).max(0) * CATCH_UP_SPEED),
                false => at,
            }
        })
    }

    pub(crate) fn any_outage(&self) -> bool {
        !self.outages.is_empty()
    }

    /// Appends what the bot does in a span of time.
    pub(crate) fn append_bot_events(
        &self,
        seed: Seed,
        products: usize,
        span: Range<i64>,
        out: &mut Vec<SimulatedEvent>,
    ) {
        if !self.bot {
            return;
        }
        let mut look = span.start.div_euclid(BOT_PAUSE_MICROS);
        loop {
            let key = seed.of(Purpose::Bot, look as u64);
            // Within the first half of its pause, so that the looks stay in order.
            let at = look * BOT_PAUSE_MICROS + (unit(key) * (BOT_PAUSE_MICROS / 2) as f64) as i64;
            if at >= span.end {
                return;
            }
            look += 1;
            let hour = at.div_euclid(HOUR_MICROS);
            if at < span.start || !BOT_HOURS.contains(&hour.rem_euclid(24)) {
                continue;
            }
            let day = hour.div_euclid(24);
            out.push(SimulatedEvent {
                delivered: at,
                micros: at,
                session: seed.of(Purpose::Bot, (day as u64).wrapping_add(1 << 63)),
                user_id: 100_000_000_000,
                product: (unit(mix(key)) * products as f64) as u32,
                quantity: 1,
                step: (look.rem_euclid(1 << 16)) as u16,
                event_type: ecom_stream::EventType::View,
                copy: CopyKind::Original,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const FROM: OffsetDateTime = datetime!(2026-11-26 10:00 UTC);

    #[test]
    fn an_outage_keeps_the_order_and_catches_up() {
        let hour = time::Duration::HOUR;
        let outage = Scenario::Outage {
            from: FROM,
            until: FROM + hour,
        };
        let scenarios = Scenarios::new(&[outage]);
        let at = |minutes: i64| scenarios.delivery_time(micros(FROM) + minutes * 60_000_000) - micros(FROM);
        assert_eq!(at(-1), -60_000_000);
        assert_eq!(at(0), HOUR_MICROS);
        assert!(at(59) > HOUR_MICROS && at(59) < HOUR_MICROS + HOUR_MICROS / 20);
        assert_eq!(at(90), 90 * 60_000_000);
        assert!((-10..200).map(at).is_sorted());
        for minutes in -10..200 {
            let sent = micros(FROM) + minutes * 60_000_000;
            let earliest = scenarios.earliest_send_time(scenarios.delivery_time(sent));
            assert!((sent - HOUR_MICROS..=sent).contains(&earliest), "{minutes}");
        }
        assert_eq!(
            scenarios.earliest_send_time(micros(FROM) + 59 * 60_000_000),
            micros(FROM)
        );
    }

    #[test]
    fn a_bot_is_the_same_however_time_is_cut() {
        let scenarios = Scenarios::new(&[Scenario::Bot]);
        let start = micros(FROM) - 10 * HOUR_MICROS;
        let mut whole = Vec::new();
        scenarios.append_bot_events(Seed(1), 100, start..start + 24 * HOUR_MICROS, &mut whole);
        assert!((19_000..21_000).contains(&whole.len()), "{}", whole.len());
        let mut cut = Vec::new();
        for slice in 0..2_400 {
            let start = start + slice * HOUR_MICROS / 100;
            scenarios.append_bot_events(Seed(1), 100, start..start + HOUR_MICROS / 100, &mut cut);
        }
        assert_eq!(cut, whole);
        assert!(whole.is_sorted_by_key(|event| event.micros));
        assert!(whole.iter().all(|event| event.session == whole[0].session));
    }
}
