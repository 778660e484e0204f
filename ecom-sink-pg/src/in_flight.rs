//! The keys of all rows that are not committed yet, so that of two rows with one key the first is copied and the others are
//! counted as duplicates, wherever the two are.

use std::collections::HashMap;

use time::OffsetDateTime;
use uuid::Uuid;

/// What makes an event the same as another.
pub(crate) type Key = (Uuid, OffsetDateTime);

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    /// The epoch that has the first row with the key.
    first: HashMap<Key, i64>,
}

impl InFlight {
    /// Enters a row of an epoch. Whether it is the first with its key.
    pub(crate) fn enter(&mut self, key: Key, epoch: i64) -> bool {
        let mut is_first = false;
        self.first.entry(key).or_insert_with(|| {
            is_first = true;
            epoch
        });
        is_first
    }

    /// Forgets the rows of an epoch that was committed: from here on they are found in the table.
    pub(crate) fn leave(&mut self, epoch: i64, keys: impl Iterator<Item = Key>) {
        for key in keys {
            if self.first.get(&key) == Some(&epoch) {
                self.first.remove(&key);
            }
        }
    }
}
