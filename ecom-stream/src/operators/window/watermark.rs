//! [`WindowWatermark`]: the watermark of a window operator, saved with what its state depends on.

use serde::Serialize;

use super::spec::{Shape, Windows};
use crate::contract::{Result, StateChange};
use crate::operators::state::{Changes, OperatorEntry, check_schema};

/// The watermark of a window operator. Its state entry also has the shape of the windows and the schema hash of keys and
/// accumulators, so that state of other windows or types is refused.
#[derive(Debug)]
pub(super) struct WindowWatermark {
    /// The highest watermark so far, in microseconds.
    pub(super) current: i64,
    schema: u64,
    entry: OperatorEntry<(i64, Shape, u64)>,
}

impl WindowWatermark {
    /// The watermark before the first record, of an operator whose keys and accumulators have the hash `schema`.
    pub(super) fn new(schema: u64) -> Self {
        Self {
            current: i64::MIN,
            schema,
            entry: OperatorEntry::default(),
        }
    }

    /// Loads its entry of the state.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the state is of other windows or other types.
    pub(super) fn load(&mut self, entry: &StateChange, windows: &Windows) -> Result<()> {
        let (current, shape, schema) = self.entry.load(entry)?;
        windows.check_shape(entry, shape)?;
        check_schema(entry, schema, self.schema)?;
        self.current = current;
        Ok(())
    }

    /// Writes its entry under `key` if it has changed. Deletes it if the operator has no window.
    pub(super) fn save(
        &mut self,
        key: &impl Serialize,
        windows: &Windows,
        is_empty: bool,
        changes: &mut Changes<'_>,
    ) -> Result<()> {
        let value = (self.current, windows.shape(), self.schema);
        self.entry.save(key, (!is_empty).then_some(value), changes)
    }

    /// Moves to `to` and returns the watermark before. `None` if `to` is not later.
    pub(super) fn advance(&mut self, to: i64) -> Option<i64> {
        (to > self.current).then(|| std::mem::replace(&mut self.current, to))
    }
}
