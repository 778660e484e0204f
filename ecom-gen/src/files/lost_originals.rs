//! Events that an ingest cannot read, although their copies can be read.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::row::Row;
use crate::manifest::RowOutcome;
use crate::shop::{CopyKind, Model, SimulatedEvent};

/// What an event and its copies have in common.
pub(super) type EventKey = (u64, u16);

pub(super) fn event_key(event: &SimulatedEvent) -> EventKey {
    (event.session, event.step)
}

/// Events that a correct ingest cannot read because of a fault of their file. Their copy is then the first one that it
/// stores. Only events whose copy is still to come are kept; a copy follows within seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct LostOriginals(BTreeSet<EventKey>);

impl LostOriginals {
    /// What a correct ingest does with a row that it reads.
    pub(super) fn expected_outcome(&mut self, row: Row<'_>) -> RowOutcome {
        match (row.faulty, row.event.copy) {
            (Some(faulty), _) => RowOutcome::Rejected(faulty.kind, faulty.reason.clone()),
            (None, CopyKind::Original) => RowOutcome::Stored,
            (None, CopyKind::Exact | CopyKind::Altered) => match self.0.remove(&event_key(row.event)) {
                true => RowOutcome::Stored,
                false => RowOutcome::Duplicate,
            },
        }
    }

    /// Notes a row that an ingest cannot read.
    pub(super) fn mark_unread(&mut self, model: &Model, event: &SimulatedEvent) {
        if event.copy != CopyKind::Original {
            self.0.remove(&event_key(event));
        } else if model.delivery.has_copy(model.seed, event) {
            self.0.insert(event_key(event));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
