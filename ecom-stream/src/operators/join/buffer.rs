//! What a join holds of one side: records by key and time, until nothing can match them.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::{Result, StateChange};
use crate::operators::state::{Changes, Timers, decode_value};

/// The time of a record in microseconds, and its number among those that are held.
pub(super) type EntryId = (i64, u64);

/// The key of an entry of the state: which side, and which record.
pub(super) type EntryKey = (u8, EntryId);

#[derive(Debug)]
pub(super) struct JoinBuffer<K, V> {
    side: u8,
    /// The records of a key, by time.
    keys: HashMap<K, VecDeque<(EntryId, BufferedRecord<V>)>>,
    timers: Timers<(EntryId, K)>,
    changed: Vec<(EntryId, K)>,
    /// What is in the state and is held no more.
    deleted: Vec<EntryId>,
}

#[derive(Debug)]
pub(super) struct BufferedRecord<V> {
    pub(super) value: V,
    pub(super) is_matched: bool,
    /// Since it was saved last.
    changed: bool,
    /// Whether it is in the state.
    stored: bool,
}

impl<K, V> JoinBuffer<K, V>
where
    K: Ord + Hash + Clone,
    V: Clone + Serialize + DeserializeOwned,
{
    pub(super) fn new(side: u8) -> Self {
        Self {
            side,
            keys: HashMap::new(),
            timers: Timers::default(),
            changed: Vec::new(),
            deleted: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Takes in an entry of the state. `due` says until when it is held.
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

    /// Holds a record until `due`.
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
        // Most come in order, and go at the back.
        let at = records.partition_point(|(before, _)| *before < id);
        records.insert(at, (id, record));
    }

    /// Shows `f` the records of a key whose times lie between the two, by time. With `mark` they are matched from then on.
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

    /// Takes the next record that is held no more at `now`, with its time.
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

    /// Writes what changed.
    pub(super) fn save(&mut self, changes: &mut Changes<'_>) -> Result<()> {
        changes.reserve(self.deleted.len() + self.changed.len());
        for id in self.deleted.drain(..) {
            changes.delete(&(self.side, id))?;
        }
        for (id, key) in self.changed.drain(..) {
            // It may be deleted by now.
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

fn position<V>(records: &VecDeque<(EntryId, BufferedRecord<V>)>, id: EntryId) -> Option<usize> {
    records.binary_search_by_key(&id, |(id, _)| *id).ok()
}
