//! The keys of all rows that are not committed yet: of two rows with one key, the second is a
//! duplicate.
//!
//! The database cannot tell, as long as neither is committed: two transactions that copy the same
//! key at the same time wait for each other.

use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};

use foldhash::fast::RandomState;
use time::OffsetDateTime;
use uuid::Uuid;

/// The identity of an event: its id and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventKey {
    pub(crate) id: Uuid,
    /// Since 1970, in UTC.
    microseconds: i64,
}

impl EventKey {
    /// The key of an event. `time` must be in whole microseconds, as the table keeps it.
    pub(crate) fn new(id: Uuid, time: OffsetDateTime) -> Self {
        let microseconds = time.unix_timestamp() * 1_000_000 + i64::from(time.microsecond());
        Self { id, microseconds }
    }

    /// The time of the event, in UTC.
    pub(crate) fn time(&self) -> OffsetDateTime {
        let nanoseconds = i128::from(self.microseconds) * 1_000;
        // It was made of one.
        OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// In two words, since this runs for each row.
impl Hash for EventKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.id.as_u128());
        state.write_i64(self.microseconds);
    }
}

/// The keys of all rows that are not committed yet, so that of two rows with one key the first is
/// copied, and the others are counted as duplicates, whichever epochs they are in.
#[derive(Debug, Default)]
pub(crate) struct UncommittedKeys {
    /// For each epoch, the keys whose first row it has; the oldest epoch first.
    epochs: VecDeque<(i64, HashSet<EventKey, RandomState>)>,
}

impl UncommittedKeys {
    /// Inserts the key of a row of the youngest epoch. Returns whether the row is the first with
    /// that key.
    pub(crate) fn insert(&mut self, key: EventKey, epoch: i64) -> bool {
        if self.epochs.back().is_none_or(|(youngest, _)| *youngest != epoch) {
            // As many as the last one had: growing takes longer than anything else here.
            let rows = self.epochs.back().map_or(0, |(_, keys)| keys.len());
            self.epochs
                .push_back((epoch, HashSet::with_capacity_and_hasher(rows, RandomState::default())));
        }
        let mut epochs = self.epochs.iter_mut().rev();
        let Some((_, youngest)) = epochs.next() else {
            return true;
        };
        !epochs.any(|(_, keys)| keys.contains(&key)) && youngest.insert(key)
    }

    /// Forgets the keys of an epoch that was committed: from now on they are found in the table.
    pub(crate) fn remove_epoch(&mut self, epoch: i64) {
        self.epochs.retain(|(of, _)| *of != epoch);
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_time_of_a_key_is_that_of_its_event() {
        for time in [
            datetime!(2026-11-01 12:00:00.123456 UTC),
            datetime!(0001-01-01 00:00:00.000001 UTC),
            datetime!(1969-12-31 23:59:59.999999 UTC),
            datetime!(9999-12-30 23:59:59.999999 UTC),
        ] {
            assert_eq!(EventKey::new(Uuid::nil(), time).time(), time);
        }
    }
}
