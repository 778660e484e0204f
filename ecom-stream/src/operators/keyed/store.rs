//! The state of each key, and when it is to be forgotten.

use std::collections::HashMap;
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::{Error, ErrorKind, Result, StateChange};
use crate::operators::state::{Changes, OperatorEntry, Timers, check_schema, decode_key, decode_value, schema_hash};

/// Refuses a time in which everything would be late.
pub(super) fn check_not_zero(what: &str, micros: i64) -> Result<()> {
    match micros {
        ..=0 => {
            Err(Error::new(ErrorKind::Configuration, format!("{what} nothing"))
                .hint("it must be a microsecond or more"))
        }
        _ => Ok(()),
    }
}

/// Values by key, each until a time; times are microseconds.
#[derive(Debug)]
pub(super) struct Store<K, V> {
    values: HashMap<K, Slot<V>>,
    /// For each key a time no later than that at which it is forgotten.
    timers: Timers<K>,
    changed: Vec<K>,
    entry: OperatorEntry<u64>,
    schema: u64,
}

#[derive(Debug)]
struct Slot<V> {
    value: Option<V>,
    until: i64,
    /// Since it was saved last.
    changed: bool,
    /// Whether it is in the state.
    stored: bool,
}

impl<K, V> Store<K, V>
where
    K: Ord + Hash + Clone + Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
{
    pub(super) fn new() -> Self {
        Self {
            values: HashMap::new(),
            timers: Timers::default(),
            changed: Vec::new(),
            entry: OperatorEntry::default(),
            schema: schema_hash::<(K, V)>(),
        }
    }

    /// Takes in an entry of the state.
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

    /// Forgets what was to be remembered until `now` at most.
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

    /// What is remembered of the key.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key)?.value.as_ref()
    }

    /// The value of the key, or the one that `new` gives, to be changed and then remembered until `until` at least.
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

    /// Writes what changed.
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

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.expire(i64::MAX);
    }
}
