//! The encoding of state entries: key and value in `postcard`, with the version of the operator's format.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::{Error, ErrorKind, Result, StateChange};

/// Decodes the key of an entry that the ledger gave at the start. `format` is the format that the operator reads.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] if the entry has another format, or its key is not a `K`.
pub(crate) fn decode_key<K: DeserializeOwned>(entry: &StateChange, format: u16) -> Result<K> {
    if entry.format != format {
        let message = format!(
            "the state of operator {:?} has format {}, but this version of the program reads format {format}",
            entry.operator, entry.format
        );
        return Err(Error::new(ErrorKind::Configuration, message).hint(
            "run the version that wrote the state, or give the operator another name, which starts with an empty state",
        ));
    }
    decode_exactly(entry, &entry.key)
}

/// Decodes the value of an entry whose key [`decode_key`] has accepted.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] if its value is not a `V`.
pub(crate) fn decode_value<V: DeserializeOwned>(entry: &StateChange) -> Result<V> {
    decode_exactly(entry, entry.value.as_deref().unwrap_or_default())
}

/// Decodes `bytes`, and refuses bytes that are left over: those were written for another type.
fn decode_exactly<T: DeserializeOwned>(entry: &StateChange, bytes: &[u8]) -> Result<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(unreadable(entry).caused_by(format!("{} bytes are left over", rest.len()))),
        Err(err) => Err(unreadable(entry).caused_by(err)),
    }
}

fn unreadable(entry: &StateChange) -> Error {
    let message = format!("cannot decode the state of operator {:?}", entry.operator);
    Error::new(ErrorKind::Configuration, message)
        .hint("its key or state type has changed, or leaves fields out (skip_serializing_if). Give the operator another name to start with an empty state")
}

/// Collects the changes of an operator's state that leave with a batch.
///
/// Of several changes of one key in a batch the last one counts.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    operator: &'a Arc<str>,
    format: u16,
    changes: &'a mut Vec<StateChange>,
}

impl<'a> Changes<'a> {
    /// Appends to `changes`, in the name of `operator` and with the version `format` of its entries.
    pub(crate) fn new(operator: &'a Arc<str>, format: u16, changes: &'a mut Vec<StateChange>) -> Self {
        Self {
            operator,
            format,
            changes,
        }
    }

    /// Reserves memory for that many more changes.
    pub(crate) fn reserve(&mut self, changes: usize) {
        self.changes.reserve(changes);
    }

    /// Stores `value` under `key`, in place of a value that is there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the key or the value can't be encoded.
    pub(crate) fn put(&mut self, key: &impl Serialize, value: &impl Serialize) -> Result<()> {
        let (key, value) = (self.encode(key)?, self.encode(value)?);
        self.push(key, Some(value));
        Ok(())
    }

    /// Deletes the entry under `key`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the key can't be encoded.
    pub(crate) fn delete(&mut self, key: &impl Serialize) -> Result<()> {
        let key = self.encode(key)?;
        self.push(key, None);
        Ok(())
    }

    fn push(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.changes.push(StateChange {
            operator: self.operator.clone(),
            key,
            format: self.format,
            value,
        });
    }

    fn encode(&self, part: &impl Serialize) -> Result<Vec<u8>> {
        postcard::to_allocvec(part).map_err(|err| {
            let message = format!("cannot encode the state of operator {:?}", self.operator);
            Error::new(ErrorKind::Configuration, message)
                .hint("the types of keys and state must have no flattened and no untagged parts (serde), which postcard cannot write")
                .caused_by(err)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> StateChange {
        let operator = "counts".into();
        let mut changes = Vec::new();
        Changes::new(&operator, 3, &mut changes)
            .put(&(1, "key"), &7_u64)
            .unwrap();
        changes.remove(0)
    }

    #[test]
    fn entries_decode_to_what_was_encoded() {
        let entry = entry();
        assert_eq!(decode_key::<(i32, String)>(&entry, 3).unwrap(), (1, "key".into()));
        assert_eq!(decode_value::<u64>(&entry).unwrap(), 7);
    }

    #[test]
    fn another_format_is_refused() {
        let err = decode_key::<(i32, String)>(&entry(), 4).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Configuration);
        assert!(
            err.to_string()
                .contains("\"counts\" has format 3, but this version of the program reads format 4"),
            "{err}"
        );
    }

    #[test]
    fn other_types_are_refused() {
        let err = decode_value::<String>(&entry()).unwrap_err();
        assert!(err.to_string().contains("cannot decode the state"), "{err}");
        let err = decode_key::<i32>(&entry(), 3).unwrap_err();
        assert!(err.report().contains("4 bytes are left over"), "{err:?}");
    }
}
