use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entry::{Changes, decode_value};
use crate::contract::{Result, StateChange};

/// What the state says of an operator as a whole: an entry that is there for as long as there are others.
#[derive(Debug)]
pub(crate) struct OperatorEntry<V> {
    /// What the state has.
    saved: Option<V>,
}

impl<V> Default for OperatorEntry<V> {
    fn default() -> Self {
        Self { saved: None }
    }
}

impl<V: PartialEq + Clone + Serialize + DeserializeOwned> OperatorEntry<V> {
    /// Takes in the entry.
    pub(crate) fn load(&mut self, entry: &StateChange) -> Result<V> {
        let value: V = decode_value(entry)?;
        self.saved = Some(value.clone());
        Ok(value)
    }

    /// Writes `value` under `key` if it changed; with `None` there is no other entry any more, and it goes too.
    pub(crate) fn save(&mut self, key: &impl Serialize, value: Option<V>, changes: &mut Changes<'_>) -> Result<()> {
        if value == self.saved {
            return Ok(());
        }
        match &value {
            Some(value) => changes.put(key, value)?,
            None => changes.delete(key)?,
        }
        self.saved = value;
        Ok(())
    }
}
