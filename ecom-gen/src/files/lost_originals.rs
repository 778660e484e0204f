use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::row::Row;
use crate::manifest::RowOutcome;
use crate::shop::{CopyKind, Model, SimulatedEvent};

/// What an event and its copy have in common.
pub(super) type EventKey = (u64, u16);

pub(super) fn event_key(event: &SimulatedEvent) -> EventKey {
    (event.session, event.step)
}

/// Events that no ingest can find, since something is wrong with their file: the copy is the first that it sees. Only those
/// whose copy is still to come, which it is within seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct LostOriginals(BTreeSet<EventKey>);

impl LostOriginals {
    /// What an ingest must make of a row that it reads.
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

    /// Takes note of a row that it can't use.
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
