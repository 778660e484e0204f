//! Simulates a slice of time.

use super::event::SimulatedEvent;
use super::model::Model;
use super::visit::{MAX_VISIT_MICROS, VisitNumber, visit};

impl Model {
    /// All events of the visits that begin in a slice, in no particular order. Some of them happen in later slices.
    pub(crate) fn simulate(&self, slice: i64) -> Vec<SimulatedEvent> {
        let visits = self.visits_in(slice);
        let mut events = Vec::with_capacity(visits as usize * 5);
        for index in 0..visits {
            visit(self, VisitNumber { slice, index }, &mut events);
        }
        let start = slice * self.slice_micros;
        let span = start..start + self.slice_micros;
        self.scenarios
            .append_bot_events(self.seed, self.catalogue.products().len(), span, &mut events);
        self.delivery.apply(self.seed, &mut events);
        if self.scenarios.any_outage() {
            for event in &mut events {
                event.delivered = self.scenarios.delivery_time(event.delivered);
            }
        }
        events
    }

    /// The first slice whose events may be delivered in `slice`, considering only events that happen at `start_micros`
    /// or later.
    pub(crate) fn first_slice_for(&self, slice: i64, start_micros: i64) -> i64 {
        let sent = self
            .scenarios
            .earliest_send_time(slice.saturating_mul(self.slice_micros));
        let happened = sent.saturating_sub(self.delivery.longest_delay()).max(start_micros);
        self.slice_at(happened.saturating_sub(MAX_VISIT_MICROS)).min(slice)
    }
}
