//! Simulates one slice of time.

use super::event::Moment;
use super::model::Model;
use super::visit::{LONGEST_VISIT_MICROS, VisitNumber, visit};

impl Model {
    /// Everything that follows from the visits that begin in a slice, in no order; some of it happens in later slices.
    pub(crate) fn simulate(&self, slice: i64) -> Vec<Moment> {
        let visits = self.visits_in(slice);
        let mut moments = Vec::with_capacity(visits as usize * 5);
        for index in 0..visits {
            visit(self, VisitNumber { slice, index }, &mut moments);
        }
        let start = slice * self.slice_micros;
        let span = start..start + self.slice_micros;
        self.scenarios
            .bot(self.seed, self.catalogue.products().len(), span, &mut moments);
        self.delivery.apply(self.seed, &mut moments);
        if self.scenarios.any_outage() {
            for moment in &mut moments {
                moment.delivered = self.scenarios.deliver(moment.delivered);
            }
        }
        moments
    }

    /// The first slice that can have something to deliver in `slice` which happens at `start_micros` or later.
    pub(crate) fn begin_for(&self, slice: i64, start_micros: i64) -> i64 {
        let sent = self.scenarios.sent_before(slice.saturating_mul(self.slice_micros));
        let happened = sent.saturating_sub(self.delivery.longest_delay()).max(start_micros);
        self.slice_at(happened.saturating_sub(LONGEST_VISIT_MICROS)).min(slice)
    }
}
