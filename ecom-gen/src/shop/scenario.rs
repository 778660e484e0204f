//! Scenarios: campaigns, bots and outages.

use std::ops::Range;

use time::OffsetDateTime;

use super::event::{CopyKind, SimulatedEvent};
use crate::micros::{HOUR_MICROS, micros};
use crate::random::{Purpose, Seed, mix, unit};

/// Something out of the ordinary that happens to a shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scenario {
    /// A sale. There are two and a half times as many visits, twice as many products are added to carts, and a smaller
    /// share of them is bought, because people compare.
    Campaign {
        /// When the campaign begins.
        from: OffsetDateTime,
        /// When the campaign ends.
        until: OffsetDateTime,
    },
    /// A crawler that views one product after another as a single user, every day from 01:00 to 07:00 UTC: about 20,000
    /// views a day.
    Bot,
    /// No event is delivered for a while. Then the shop catches up and delivers events 20 times as fast as they
    /// happened. Events that wait are kept in memory, about 60 bytes each: 100 MB for an hour at 500 events per second.
    Outage {
        /// When the outage begins: from this time on no event is delivered.
        from: OffsetDateTime,
        /// When the outage ends and the shop begins to catch up.
        until: OffsetDateTime,
    },
}

const CAMPAIGN_VISITS: f64 = 2.5;
/// The share of `add_to_cart` among the events doubles with this factor.
const CAMPAIGN_CART: f64 = 2.8;
const CAMPAIGN_BUY: f64 = 0.55;

const BOT_HOURS: Range<i64> = 1..7;
const BOT_INTERVAL_MICROS: i64 = 1_080_000;

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

    /// The factor by which scenarios multiply the number of visits.
    pub(crate) fn visit_factor(&self, at: i64) -> f64 {
        if self.in_campaign(at) { CAMPAIGN_VISITS } else { 1.0 }
    }

    /// The factors by which scenarios multiply the probability to add a product to the cart, and to buy a cart.
    pub(crate) fn cart_and_purchase_factors(&self, at: i64) -> (f64, f64) {
        match self.in_campaign(at) {
            true => (CAMPAIGN_CART, CAMPAIGN_BUY),
            false => (1.0, 1.0),
        }
    }

    fn in_campaign(&self, at: i64) -> bool {
        self.campaigns.iter().any(|campaign| campaign.contains(&at))
    }

    /// When an event is delivered that would be delivered at `at` without outages. Keeps the order of events.
    pub(crate) fn delivery_time(&self, mut at: i64) -> i64 {
        for outage in &self.outages {
            let caught_up = outage.end + (outage.end - outage.start) / (CATCH_UP_SPEED - 1);
            if outage.contains(&at) {
                at = outage.end + (at - outage.start) / CATCH_UP_SPEED;
            } else if (outage.end..caught_up).contains(&at) {
                // While the shop catches up, new events join the queue.
                at = outage.end + (at - outage.start) / CATCH_UP_SPEED;
                debug_assert!(at <= caught_up);
            }
        }
        at
    }

    /// The earliest time at which an event could be due that is delivered at `at` or later.
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

    /// Appends the events of the bot in a time span.
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
        let mut look = span.start.div_euclid(BOT_INTERVAL_MICROS);
        loop {
            let key = seed.of(Purpose::Bot, look as u64);
            // In the first half of the interval, so that the views stay in order.
            let at = look * BOT_INTERVAL_MICROS + (unit(key) * (BOT_INTERVAL_MICROS / 2) as f64) as i64;
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
    fn a_bot_does_not_depend_on_the_slices() {
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
