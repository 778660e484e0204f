//! [`OperatorEntry`]: the one state entry that an operator keeps about itself as a whole.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entry::{Changes, decode_value};
use crate::contract::{Result, StateChange};

/// The state entry about an operator as a whole, such as its watermark and the schema of its other entries.
///
/// It exists as long as the operator has other entries. It is written only when its value has changed. When the operator has
/// no other entry left it is deleted, so an operator without open windows or known keys leaves nothing in the ledger.
#[derive(Debug)]
pub(crate) struct OperatorEntry<V> {
    /// The value in the ledger, as of the last [`save`](Self::save).
    saved: Option<V>,
}

impl<V> Default for OperatorEntry<V> {
    fn default() -> Self {
        Self { saved: None }
    }
}

impl<V: PartialEq + Clone + Serialize + DeserializeOwned> OperatorEntry<V> {
    /// Loads the entry and returns its value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the value can't be decoded.
    pub(crate) fn load(&mut self, entry: &StateChange) -> Result<V> {
        let value: V = decode_value(entry)?;
        self.saved = Some(value.clone());
        Ok(value)
    }

    /// Writes `value` under `key` if it has changed. `None` deletes the entry: the operator has no other entries left.
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
