//! [`Store`]: a value for each key, which is deleted when the watermark has passed its time.

use std::collections::HashMap;
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::{Error, ErrorKind, Result, StateChange};
use crate::operators::state::{Changes, OperatorEntry, Timers, check_schema, decode_key, decode_value, schema_hash};

/// Refuses a duration of zero, with which every record would be late. `what` is the operator and the setting, such as
/// `deduplicate within`.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] if the duration is less than a microsecond.
pub(super) fn check_not_zero(what: &str, micros: i64) -> Result<()> {
    match micros {
        ..=0 => Err(Error::new(
            ErrorKind::Configuration,
            format!("cannot {what} less than a microsecond"),
        )
        .hint("the duration must be a microsecond or more")),
        _ => Ok(()),
    }
}

/// Values by key, each kept until a time in microseconds of event time.
///
/// The state has an entry for each key, with the value and the time until which it is kept, and one for the store as a whole
/// with the hash of the types. A value that was deleted in memory stays in `values` as `None` until the next save, which
/// deletes its entry.
#[derive(Debug)]
pub(super) struct Store<K, V> {
    values: HashMap<K, Slot<V>>,
    /// For each key a timer no later than the time until which it is kept.
    timers: Timers<K>,
    /// The keys that have changed since the last save.
    changed: Vec<K>,
    entry: OperatorEntry<u64>,
    schema: u64,
}

/// A value in memory, with what has to be written of it.
#[derive(Debug)]
struct Slot<V> {
    /// `None` once it has expired.
    value: Option<V>,
    /// The watermark at which it expires.
    until: i64,
    /// Whether it has changed since the last save.
    changed: bool,
    /// Whether the state has an entry of it, which must be deleted when it expires.
    stored: bool,
}

impl<K, V> Store<K, V>
where
    K: Ord + Hash + Clone + Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
{
    /// An empty store.
    pub(super) fn new() -> Self {
        Self {
            values: HashMap::new(),
            timers: Timers::default(),
            changed: Vec::new(),
            entry: OperatorEntry::default(),
            schema: schema_hash::<(K, V)>(),
        }
    }

    /// Loads an entry of the state. `format` is the format that the operator reads.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the entry has another format, or is of other types.
    pub(super) fn load(&mut self, entry: &StateChange, format: u16) -> Result<()> {
        let Some(key) = decode_key::<Option<K>>(entry, format)? else {
            let schema = self.entry.load(entry)?;
            return check_schema(entry, schema, self.schema);
        };
        let (until, value) = decode_value(entry)?;
        self.timers.set(until, key.clone());
        let slot = Slot {
            value: Some(value),
            until,
            changed: false,
            stored: true,
        };
        self.values.insert(key, slot);
        Ok(())
    }

    /// Deletes the values that are kept until `now` or less. Call it with the watermark of a record before any other method.
    pub(super) fn expire(&mut self, now: i64) {
        while let Some((_, key)) = self.timers.take_due(now) {
            let Some(slot) = self.values.get_mut(&key) else {
                continue;
            };
            if slot.value.is_none() {
                continue;
            }
            if slot.until > now {
                self.timers.set(slot.until, key);
                continue;
            }
            slot.value = None;
            if !std::mem::replace(&mut slot.changed, true) {
                self.changed.push(key);
            }
        }
    }

    /// Returns the value of a key.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key)?.value.as_ref()
    }

    /// Returns the value of a key to be changed; `new` makes it if there is none. It is kept until `until` at least.
    pub(super) fn update(&mut self, key: K, until: i64, new: impl FnOnce() -> V) -> &mut V {
        let slot = self.values.entry(key.clone()).or_insert_with(|| Slot {
            value: None,
            until: i64::MIN,
            changed: false,
            stored: false,
        });
        if !std::mem::replace(&mut slot.changed, true) {
            self.changed.push(key.clone());
        }
        if slot.value.is_none() {
            slot.until = until;
            self.timers.set(until, key);
        }
        slot.until = slot.until.max(until);
        slot.value.get_or_insert_with(new)
    }

    /// Writes the entries that have changed since the last call.
    pub(super) fn save(&mut self, changes: &mut Changes<'_>) -> Result<()> {
        changes.reserve(self.changed.len());
        for key in self.changed.drain(..) {
            let Some(slot) = self.values.get_mut(&key) else {
                continue;
            };
            if let Some(value) = &slot.value {
                changes.put(&Some(&key), &(slot.until, value))?;
                (slot.changed, slot.stored) = (false, true);
                continue;
            }
            if slot.stored {
                changes.delete(&Some(&key))?;
            }
            self.values.remove(&key);
        }
        let saved = (!self.values.is_empty()).then_some(self.schema);
        self.entry.save(&None::<K>, saved, changes)
    }

    /// Deletes all values.
    pub(super) fn clear(&mut self) {
        self.expire(i64::MAX);
    }
}
