//! Holds events back until the slice of time in which they are delivered.

use super::event::SimulatedEvent;
use super::model::Model;
use super::pending::PendingEvents;

/// Holds events that are simulated in one slice and delivered in a later one.
#[derive(Debug, Clone)]
pub(crate) struct DeliveryBuffer {
    slice_micros: i64,
    start_micros: i64,
    next: i64,
    waiting: PendingEvents,
}

impl DeliveryBuffer {
    /// A buffer for the events that happen from `start_micros` on and are delivered in slice `first` or later. Also
    /// returns the slice at which the simulation must begin.
    pub(crate) fn new(model: &Model, first: i64, start_micros: i64) -> (Self, i64) {
        let next = model.first_slice_for(first, start_micros);
        let buffer = Self {
            slice_micros: model.slice_micros,
            start_micros,
            next,
            waiting: PendingEvents::new(),
        };
        (buffer, next)
    }

    /// Takes the events that were simulated for the next slice, and returns those that are delivered in it, in no
    /// particular order and without events before the start of the shop.
    pub(crate) fn release(&mut self, mut made: Vec<SimulatedEvent>) -> Vec<SimulatedEvent> {
        made.retain(|event| {
            // No event is delivered before it happens.
            let ahead = (event.delivered.div_euclid(self.slice_micros) - self.next).max(0) as usize;
            let is_seen = event.micros >= self.start_micros;
            if is_seen && ahead > 0 {
                self.waiting.put(ahead, *event);
            }
            is_seen && ahead == 0
        });
        self.waiting.take_next(&mut made);
        self.next += 1;
        made
    }
}

/// Sorts the events of a slice in the order of their delivery.
pub(crate) fn sort_by_delivery(mut events: Vec<SimulatedEvent>) -> Vec<SimulatedEvent> {
    events.sort_unstable_by_key(SimulatedEvent::order);
    events
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::micros::micros;
    use crate::rate::Rate;
    use crate::shop::delivery::Delivery;
    use crate::shop::iterator::Shop;
    use crate::shop::scenario::Scenario;

    #[test]
    fn a_buffer_that_begins_later_releases_the_same_events() {
        let start = datetime!(2026-11-01 12:00 UTC);
        let model = Model::new(&Shop::builder(5, start));
        let from = |first: i64, skip: i64| {
            let (mut buffer, begin) = DeliveryBuffer::new(&model, first, i64::MIN);
            let mut slices = (begin..).map(|slice| sort_by_delivery(buffer.release(model.simulate(slice))));
            slices.nth((first - begin + skip) as usize).unwrap()
        };
        let first = model.slice_at(micros(start));
        assert!(from(first, 50) == from(first + 50, 0));
    }

    #[test]
    fn only_slices_that_matter_are_simulated() {
        let start = datetime!(2026-11-01 12:00 UTC);
        let hour = time::Duration::HOUR;
        let outage = |from, until| Scenario::Outage { from, until };
        let shop = Shop::builder(5, start)
            .delivery(Delivery::heavy())
            .scenario(outage(start - 90 * 24 * hour, start - 60 * 24 * hour))
            .scenario(outage(start + 8 * hour, start + 14 * hour))
            .scenario(outage(start + 9 * hour, start + 9 * hour + hour / 2))
            .scenario(outage(start + 14 * hour + hour / 10, start + 15 * hour))
            .scenario(outage(start + 300 * 24 * hour, start + 600 * 24 * hour))
            .rate(Rate::per_second(5.0).unwrap());
        let model = Model::new(&shop);
        let (start, slice) = (micros(start), |hours: i32| model.slice_at(micros(start + hours * hour)));
        let first = model.slice_at(start);
        // Late events that happened before the start are no part of the shop.
        assert!(DeliveryBuffer::new(&model, first, start).1 >= slice(-1));
        assert!(DeliveryBuffer::new(&model, slice(100), start).1 >= slice(92));

        let (mut buffer, mut at) = DeliveryBuffer::new(&model, first, start);
        let mut next = || {
            at += 1;
            (at - 1, sort_by_delivery(buffer.release(model.simulate(at - 1))))
        };
        for _ in 0..slice(20) - first {
            let (slice, whole) = next();
            let (mut later, begin) = DeliveryBuffer::new(&model, slice, start);
            if slice < first || slice % 3 != 0 {
                continue;
            }
            let mut alone = Vec::new();
            for made in begin..=slice {
                alone = later.release(model.simulate(made));
            }
            assert!(whole == sort_by_delivery(alone), "{slice}");
        }
    }
}
