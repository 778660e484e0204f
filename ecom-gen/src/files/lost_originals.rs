use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::row::Row;
use crate::manifest::Fate;
use crate::shop::{Copied, Model, Moment};

/// What an event and its copy have in common.
pub(super) type Key = (u64, u16);

pub(super) fn key(moment: &Moment) -> Key {
    (moment.session, moment.step)
}

/// Events that no ingest can find, since something is wrong with their file: the copy is the first that it sees. Only those
/// whose copy is still to come, which it is within seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Lost(BTreeSet<Key>);

impl Lost {
    /// What an ingest must make of a row that it reads.
    pub(super) fn judge(&mut self, row: Row<'_>) -> Fate {
        match (row.spoiled, row.moment.copy) {
            (Some(spoiled), _) => Fate::Rejected(spoiled.kind, spoiled.reason.clone()),
            (None, Copied::Not) => Fate::Stored,
            (None, Copied::Exactly | Copied::Altered) => match self.0.remove(&key(row.moment)) {
                true => Fate::Stored,
                false => Fate::Duplicate,
            },
        }
    }

    /// Takes note of a row that it can't use.
    pub(super) fn lose(&mut self, model: &Model, moment: &Moment) {
        if moment.copy != Copied::Not {
            self.0.remove(&key(moment));
        } else if model.delivery.has_copy(model.seed, moment) {
            self.0.insert(key(moment));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
