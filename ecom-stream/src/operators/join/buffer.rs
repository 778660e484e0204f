//! [`JoinBuffer`]: the records of one side of a join, until nothing can match them any more.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::{Result, StateChange};
use crate::operators::state::{Changes, Timers, decode_value};

/// Identifies a buffered record: its event time in microseconds, and a number that no other record in the buffers has.
pub(super) type EntryId = (i64, u64);

/// The key of a state entry: the side, and the record.
pub(super) type EntryKey = (u8, EntryId);

/// The buffered records of one side. The state has an entry for each, with the record and whether it has found a match.
#[derive(Debug)]
pub(super) struct JoinBuffer<K, V> {
    /// The side in the keys of its state entries.
    side: u8,
    /// The records of each key, in the order of their ids and so of their times.
    keys: HashMap<K, VecDeque<(EntryId, BufferedRecord<V>)>>,
    /// When each record is due: the watermark at which nothing can match it any more.
    timers: Timers<(EntryId, K)>,
    /// The records that have changed since the last save.
    changed: Vec<(EntryId, K)>,
    /// The records that were stored and are due, whose entries must be deleted.
    deleted: Vec<EntryId>,
}

/// A record in a buffer, with what has to be written of it.
#[derive(Debug)]
pub(super) struct BufferedRecord<V> {
    pub(super) value: V,
    /// Whether it has found a match, as far as the join asks for that: only outer joins do.
    pub(super) is_matched: bool,
    /// Whether it has changed since the last save.
    changed: bool,
    /// Whether the state has an entry of it.
    stored: bool,
}

impl<K, V> JoinBuffer<K, V>
where
    K: Ord + Hash + Clone,
    V: Clone + Serialize + DeserializeOwned,
{
    /// An empty buffer of the given side.
    pub(super) fn new(side: u8) -> Self {
        Self {
            side,
            keys: HashMap::new(),
            timers: Timers::default(),
            changed: Vec::new(),
            deleted: Vec::new(),
        }
    }

    /// Whether no record is buffered.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Loads an entry of the state. `key` and `due` compute the key of the record, and when it is due, from its value and time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the record can't be decoded.
    pub(super) fn load(
        &mut self,
        entry: &StateChange,
        id: EntryId,
        key: impl FnOnce(&V) -> K,
        due: impl FnOnce(i64) -> i64,
    ) -> Result<()> {
        let (is_matched, value): (bool, V) = decode_value(entry)?;
        let key = key(&value);
        self.timers.set(due(id.0), (id, key.clone()));
        let record = BufferedRecord {
            value,
            is_matched,
            changed: false,
            stored: true,
        };
        self.insert(key, id, record);
        Ok(())
    }

    /// Adds a record, which stays until the watermark is at `due`.
    pub(super) fn add(&mut self, key: K, id: EntryId, value: V, is_matched: bool, due: i64) {
        self.timers.set(due, (id, key.clone()));
        self.changed.push((id, key.clone()));
        let record = BufferedRecord {
            value,
            is_matched,
            changed: true,
            stored: false,
        };
        self.insert(key, id, record);
    }

    fn insert(&mut self, key: K, id: EntryId, record: BufferedRecord<V>) {
        let records = self.keys.entry(key).or_insert_with(|| VecDeque::with_capacity(1));
        // Most records come in order and are appended.
        let at = records.partition_point(|(before, _)| *before < id);
        records.insert(at, (id, record));
    }

    /// Calls `f` with the time and value of each record of a key whose time is from `from` to `to` (inclusive), in the order of
    /// times. Returns whether there was any. With `mark`, the records are marked as matched.
    pub(super) fn matching(&mut self, key: &K, from: i64, to: i64, mark: bool, mut f: impl FnMut(i64, &V)) -> bool {
        let Some(records) = self.keys.get_mut(key).filter(|_| from <= to) else {
            return false;
        };
        let first = records.partition_point(|(id, _)| *id < (from, 0));
        let behind = records.partition_point(|(id, _)| *id <= (to, u64::MAX));
        for (id, record) in records.range_mut(first..behind) {
            f(id.0, &record.value);
            if mark && !std::mem::replace(&mut record.is_matched, true) && !std::mem::replace(&mut record.changed, true)
            {
                self.changed.push((*id, key.clone()));
            }
        }
        first < behind
    }

    /// Removes and returns the next record that is due at the watermark `now`, with its time. `None` if none is.
    pub(super) fn take_due(&mut self, now: i64) -> Option<(i64, BufferedRecord<V>)> {
        let (_, (id, key)) = self.timers.take_due(now)?;
        let records = self.keys.get_mut(&key)?;
        let at = position(records, id)?;
        let (_, record) = records.remove(at)?;
        if records.is_empty() {
            self.keys.remove(&key);
        }
        if record.stored {
            self.deleted.push(id);
        }
        Some((id.0, record))
    }

    /// Writes the entries that have changed since the last call.
    pub(super) fn save(&mut self, changes: &mut Changes<'_>) -> Result<()> {
        changes.reserve(self.deleted.len() + self.changed.len());
        for id in self.deleted.drain(..) {
            changes.delete(&(self.side, id))?;
        }
        for (id, key) in self.changed.drain(..) {
            // The record may have been removed since.
            let Some(records) = self.keys.get_mut(&key) else {
                continue;
            };
            let record = position(records, id).and_then(|at| records.get_mut(at));
            let Some((_, record)) = record else { continue };
            changes.put(&(self.side, id), &(record.is_matched, &record.value))?;
            (record.changed, record.stored) = (false, true);
        }
        Ok(())
    }
}

/// The index of a record among the records of its key.
fn position<V>(records: &VecDeque<(EntryId, BufferedRecord<V>)>, id: EntryId) -> Option<usize> {
    records.binary_search_by_key(&id, |(id, _)| *id).ok()
}
