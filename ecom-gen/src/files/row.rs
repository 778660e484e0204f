//! A row of a file: its event and its bytes.

use crate::dirt::Spoiled;
use crate::shop::Moment;

/// A row with its bytes.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) moment: &'a Moment,
    pub(super) bytes: &'a [u8],
    pub(super) spoiled: Option<&'a Spoiled>,
}

/// A row that is kept.
pub(super) struct OwnRow {
    moment: Moment,
    bytes: Box<[u8]>,
    spoiled: Option<Spoiled>,
}

impl<'a> Row<'a> {
    /// The row as it would be if it had not been spoiled.
    pub(super) fn clean(self) -> Self {
        Self {
            bytes: self.spoiled.map_or(self.bytes, |spoiled| &spoiled.clean),
            spoiled: None,
            ..self
        }
    }

    pub(super) fn to_own(self) -> OwnRow {
        OwnRow {
            moment: *self.moment,
            bytes: self.bytes.into(),
            spoiled: self.spoiled.cloned(),
        }
    }
}

impl OwnRow {
    pub(super) fn row(&self) -> Row<'_> {
        Row {
            moment: &self.moment,
            bytes: &self.bytes,
            spoiled: self.spoiled.as_ref(),
        }
    }
}
