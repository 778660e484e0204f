use serde::Serialize;

use super::spec::{Shape, Windows};
use crate::contract::{Result, StateChange};
use crate::operators::state::{Changes, OperatorEntry, check_schema};

/// How far event time has come for the windows, and of which windows and types their state is.
#[derive(Debug)]
pub(super) struct WindowWatermark {
    pub(super) current: i64,
    schema: u64,
    entry: OperatorEntry<(i64, Shape, u64)>,
}

impl WindowWatermark {
    pub(super) fn new(schema: u64) -> Self {
        Self {
            current: i64::MIN,
            schema,
            entry: OperatorEntry::default(),
        }
    }

    /// Takes in its entry of the state.
    pub(super) fn load(&mut self, entry: &StateChange, windows: &Windows) -> Result<()> {
        let (current, shape, schema) = self.entry.load(entry)?;
        windows.check_shape(entry, shape)?;
        check_schema(entry, schema, self.schema)?;
        self.current = current;
        Ok(())
    }

    /// Writes itself under `key`, as long as there is a window.
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

    /// Moves on, and gives the watermark before; `None` when it stays.
    pub(super) fn advance(&mut self, to: i64) -> Option<i64> {
        (to > self.current).then(|| std::mem::replace(&mut self.current, to))
    }
}
