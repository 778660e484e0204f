//! Rows as bytes, a slice at a time, on any thread.

use std::sync::Arc;

use crate::dirt::{Dirt, Spoiled, spoil};
use crate::model::Model;
use crate::moment::Moment;
use crate::spelling::Speller;
use crate::timeline::in_order;

const ROW_BYTES: usize = 190;

/// How rows are encoded: the same for every slice.
#[derive(Clone)]
pub(super) struct Encoder {
    pub(super) model: Arc<Model>,
    pub(super) dirt: Dirt,
}

/// What a slice has to deliver, in order, with its bytes.
pub(super) struct Encoded {
    pub(super) slice: i64,
    moments: Vec<Moment>,
    bytes: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
    /// By the index of the row, in order.
    spoiled: Vec<(usize, Spoiled)>,
}

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

impl Encoder {
    pub(super) fn encode(&self, slice: i64, moments: Vec<Moment>) -> Encoded {
        let moments = in_order(moments);
        let mut bytes = Vec::with_capacity(moments.len() * ROW_BYTES);
        let mut ends = Vec::with_capacity(moments.len());
        let mut spoiled = Vec::new();
        let mut speller = Speller::default();
        for (index, moment) in moments.iter().enumerate() {
            let fields = speller.fields(&self.model, moment);
            match self.dirt.of_row(&self.model, moment) {
                None => fields.write(b"\n", &mut bytes),
                Some((kind, key)) => {
                    let mut clean = Vec::new();
                    fields.write(b"\n", &mut clean);
                    let reason = spoil(kind, key, &fields, &mut bytes);
                    let clean = clean.into();
                    spoiled.push((index, Spoiled { kind, reason, clean }));
                }
            }
            ends.push(bytes.len());
        }
        Encoded {
            slice,
            moments,
            bytes,
            ends,
            spoiled,
        }
    }
}

impl Encoded {
    pub(super) fn len(&self) -> usize {
        self.moments.len()
    }

    pub(super) fn row(&self, index: usize) -> Row<'_> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        let spoiled = self.spoiled.binary_search_by_key(&index, |(index, _)| *index);
        Row {
            moment: &self.moments[index],
            bytes: &self.bytes[start..self.ends[index]],
            spoiled: spoiled.ok().map(|at| &self.spoiled[at].1),
        }
    }
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
