//! How entries of operator state are encoded: postcard, compact and stable, with the format's version beside it.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::{Error, ErrorKind, Result, StateChange};

/// Decodes the key of an entry that an operator finds at its start.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] when the entry is of another format, or is not what was expected.
pub(crate) fn decode_key<K: DeserializeOwned>(entry: &StateChange, format: u16) -> Result<K> {
    if entry.format != format {
        let message = format!(
            "the state of operator {:?} has format {}, and this version reads {format}",
            entry.operator, entry.format
        );
        return Err(Error::new(ErrorKind::Configuration, message)
            .hint("run the version that wrote it, or give the operator another name to begin anew"));
    }
    decode_exactly(entry, &entry.key)
}

/// Decodes the value of an entry whose key was decoded.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] when the entry is not what was expected.
pub(crate) fn decode_value<V: DeserializeOwned>(entry: &StateChange) -> Result<V> {
    decode_exactly(entry, entry.value.as_deref().unwrap_or_default())
}

/// What is left over was written by something else.
fn decode_exactly<T: DeserializeOwned>(entry: &StateChange, bytes: &[u8]) -> Result<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(unreadable(entry).caused_by(format!("{} bytes are left over", rest.len()))),
        Err(err) => Err(unreadable(entry).caused_by(err)),
    }
}

fn unreadable(entry: &StateChange) -> Error {
    let message = format!("the state of operator {:?} can't be read", entry.operator);
    Error::new(ErrorKind::Configuration, message)
        .hint("were its types changed, or do they leave fields out (skip_serializing_if)? Give the operator another name to begin anew")
}

/// The changes of an operator's state that leave with a batch.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    operator: &'a Arc<str>,
    format: u16,
    changes: &'a mut Vec<StateChange>,
}

impl<'a> Changes<'a> {
    pub(crate) fn new(operator: &'a Arc<str>, format: u16, changes: &'a mut Vec<StateChange>) -> Self {
        Self {
            operator,
            format,
            changes,
        }
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, changes: usize) {
        self.changes.reserve(changes);
    }

    /// Remembers `value` under `key`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when a type of the user can't be encoded.
    pub(crate) fn put(&mut self, key: &impl Serialize, value: &impl Serialize) -> Result<()> {
        let (key, value) = (self.encode(key)?, self.encode(value)?);
        self.push(key, Some(value));
        Ok(())
    }

    /// Forgets what is under `key`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
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
            let message = format!("the state of operator {:?} can't be encoded", self.operator);
            Error::new(ErrorKind::Configuration, message)
                .hint("keys and state need a Serialize that postcard can write: no flattened or untagged types")
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
                .contains("\"counts\" has format 3, and this version reads 4"),
            "{err}"
        );
    }

    #[test]
    fn other_types_are_refused() {
        let err = decode_value::<String>(&entry()).unwrap_err();
        assert!(err.to_string().contains("can't be read"), "{err}");
        let err = decode_key::<i32>(&entry(), 3).unwrap_err();
        assert!(err.report().contains("4 bytes are left over"), "{err:?}");
    }
}
