use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Position;

/// The positions that were given out and are not known to be committed, by path: a scan must not take the ledger's older
/// word for them. Bounded by what is on its way to the sink.
#[derive(Debug, Clone, Default)]
pub(super) struct Uncommitted(Arc<Mutex<BTreeMap<String, Position>>>);

impl Uncommitted {
    fn positions(&self) -> MutexGuard<'_, BTreeMap<String, Position>> {
        // Every change is a single insert or remove: the map is sound whatever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn given_out(&self, position: &Position) {
        self.positions()
            .insert(position.split.path().to_owned(), position.clone());
    }

    pub(super) fn committed(&self, position: &Position) {
        let mut positions = self.positions();
        // A later position of the same split may be on its way already.
        if positions.get(position.split.path()) == Some(position) {
            positions.remove(position.split.path());
        }
    }

    pub(super) fn all(&self) -> Vec<Position> {
        self.positions().values().cloned().collect()
    }

    pub(super) fn get(&self, path: &str) -> Option<Position> {
        self.positions().get(path).cloned()
    }
}
