use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::contract::Position;

/// The positions that were given out and are not known to be committed, by path and generation: a scan must not take the
/// ledger's older word for them. Bounded by what is on its way to the sink.
#[derive(Debug, Clone, Default)]
pub(super) struct Uncommitted(Arc<Mutex<BTreeMap<(String, u32), Position>>>);

impl Uncommitted {
    fn positions(&self) -> MutexGuard<'_, BTreeMap<(String, u32), Position>> {
        // Every change is a single insert or remove: the map is sound whatever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn given_out(&self, position: &Position) {
        self.positions().insert(key(position), position.clone());
    }

    pub(super) fn committed(&self, position: &Position) {
        let mut positions = self.positions();
        // A later position of the same split may be on its way already.
        if positions.get(&key(position)) == Some(position) {
            positions.remove(&key(position));
        }
    }

    pub(super) fn all(&self) -> Vec<Position> {
        self.positions().values().cloned().collect()
    }

    pub(super) fn has(&self, position: &Position) -> bool {
        self.positions().contains_key(&key(position))
    }

    /// That of the newest generation of a path; the ledger may know of one that is newer.
    pub(super) fn get(&self, path: &str) -> Option<Position> {
        let positions = self.positions();
        let generations = positions.range((path.to_owned(), 0)..=(path.to_owned(), u32::MAX));
        generations.last().map(|(_, position)| position.clone())
    }
}

fn key(position: &Position) -> (String, u32) {
    (position.split.path().to_owned(), position.split.generation())
}
