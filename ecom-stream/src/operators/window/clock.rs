use serde::Serialize;

use super::spec::{Shape, Windows};
use crate::contract::{Result, StateChange};
use crate::operators::state::{Changes, Header, check_layout};

/// How far event time has come for the windows, and of which windows and types their state is.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) watermark: i64,
    layout: u64,
    header: Header<(i64, Shape, u64)>,
}

impl Clock {
    pub(super) fn new(layout: u64) -> Self {
        Self {
            watermark: i64::MIN,
            layout,
            header: Header::default(),
        }
    }

    /// Takes in its entry of the state.
    pub(super) fn load(&mut self, entry: &StateChange, windows: &Windows) -> Result<()> {
        let (watermark, shape, layout) = self.header.load(entry)?;
        windows.check_shape(entry, shape)?;
        check_layout(entry, layout, self.layout)?;
        self.watermark = watermark;
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
        let value = (self.watermark, windows.shape(), self.layout);
        self.header.save(key, (!is_empty).then_some(value), changes)
    }

    /// Moves on, and gives the watermark before; `None` when it stays.
    pub(super) fn advance(&mut self, to: i64) -> Option<i64> {
        (to > self.watermark).then(|| std::mem::replace(&mut self.watermark, to))
    }
}
