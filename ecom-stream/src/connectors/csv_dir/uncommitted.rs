//! The positions that the source has emitted and the sink has not committed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::contract::{Position, Split};

/// Emitted positions whose commit is not known yet, by path and generation; clones share them.
///
/// The ledger does not have them, so a scan that asked the ledger alone would read the same records again. The source adds a
/// position when it emits it, and the ack removes it after its commit: there are never more than the queue and the sink hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Uncommitted(Arc<Mutex<BTreeMap<(String, u32), Position>>>);

impl Uncommitted {
    fn positions(&self) -> MutexGuard<'_, BTreeMap<(String, u32), Position>> {
        // Every change is a single insert or remove, so the map is valid even if a holder of the lock panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a position that is emitted, in place of an earlier one of its split.
    pub(super) fn emitted(&self, position: &Position) {
        self.positions().insert(key(&position.split), position.clone());
    }

    /// Removes a position that is committed.
    pub(super) fn committed(&self, position: &Position) {
        let mut positions = self.positions();
        // A later position of the same split may be on its way to the sink; that one stays.
        if positions.get(&key(&position.split)) == Some(position) {
            positions.remove(&key(&position.split));
        }
    }

    /// Every position, in the order of paths and generations.
    pub(super) fn all(&self) -> Vec<Position> {
        self.positions().values().cloned().collect()
    }

    /// Whether there is a position of the same split.
    pub(super) fn has(&self, position: &Position) -> bool {
        self.has_split(&position.split)
    }

    /// Whether there is a position of that split.
    pub(super) fn has_split(&self, split: &Split) -> bool {
        self.positions().contains_key(&key(split))
    }

    /// The position of the newest generation of a path. The ledger may have a newer generation.
    pub(super) fn get(&self, path: &str) -> Option<Position> {
        let positions = self.positions();
        let generations = positions.range((path.to_owned(), 0)..=(path.to_owned(), u32::MAX));
        generations.last().map(|(_, position)| position.clone())
    }
}

fn key(split: &Split) -> (String, u32) {
    (split.path().to_owned(), split.generation())
}
