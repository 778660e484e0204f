//! [`Validate`]: turns CSV records into events by rules.

use std::sync::Arc;

use futures::TryStreamExt;
use time::OffsetDateTime;

use crate::contract::{BatchStream, Checkpoint, Transform};
use crate::csv::{CsvRecord, Header};
use crate::event::{BoundRules, Event, Rules};

/// Turns CSV records into events; see [`SourceExt::validate`](crate::SourceExt::validate).
///
/// The columns of a file are resolved once for each header, not for each record. Rules that are compared with the current time
/// see one time for each batch.
#[derive(Debug, Clone)]
pub struct Validate {
    rules: Rules,
}

impl Validate {
    /// Validates by `rules`. What the rules have to say of themselves is logged when the run starts.
    pub fn new(rules: Rules) -> Self {
        Self { rules }
    }
}

impl Transform<CsvRecord> for Validate {
    type Out = Event;

    fn apply(self, input: impl BatchStream<CsvRecord> + 'static, from: Checkpoint) -> impl BatchStream<Event> {
        let mut last: Option<(Arc<Header>, BoundRules)> = None;
        for note in self.rules.notes() {
            tracing::info!("{note}");
        }
        input.map_ok(move |batch| {
            let mut times = batch.times;
            let now = OffsetDateTime::now_utc();
            let mut batch = batch.try_filter_map(|record, origin| {
                let bound_rules = match &mut last {
                    Some((header, bound_rules)) if Arc::ptr_eq(header, record.header()) => bound_rules,
                    last => {
                        let header = record.header().clone();
                        let bound_rules = BoundRules::new(&self.rules, &header);
                        &mut last.insert((header, bound_rules)).1
                    }
                };
                bound_rules
                    .event(&self.rules, &record, origin, from.pipeline(), now)
                    .inspect(|event| {
                        if let Some(event) = event {
                            times.saw_event(event.event_time);
                        }
                    })
            });
            batch.times = times;
            batch
        })
    }
}
