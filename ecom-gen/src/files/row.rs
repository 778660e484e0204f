//! A row of a file.

use crate::dirt::FaultyRow;
use crate::shop::SimulatedEvent;

/// A row of a file: its event, and its bytes with the fault if it has one.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) event: &'a SimulatedEvent,
    pub(super) bytes: &'a [u8],
    pub(super) faulty: Option<&'a FaultyRow>,
}

/// A row that is kept beyond its slice.
pub(super) struct OwnedRow {
    event: SimulatedEvent,
    bytes: Box<[u8]>,
    faulty: Option<FaultyRow>,
}

impl<'a> Row<'a> {
    /// The row without its fault.
    pub(super) fn clean(self) -> Self {
        Self {
            bytes: self.faulty.map_or(self.bytes, |faulty| &faulty.clean),
            faulty: None,
            ..self
        }
    }

    pub(super) fn to_owned_row(self) -> OwnedRow {
        OwnedRow {
            event: *self.event,
            bytes: self.bytes.into(),
            faulty: self.faulty.cloned(),
        }
    }
}

impl OwnedRow {
    pub(super) fn row(&self) -> Row<'_> {
        Row {
            event: &self.event,
            bytes: &self.bytes,
            faulty: self.faulty.as_ref(),
        }
    }
}
