//! Rows as bytes, a slice at a time, on any thread.

use std::sync::Arc;

use super::row::Row;
use crate::csv_row::Speller;
use crate::dirt::{Dirt, Spoiled, spoil};
use crate::shop::{Model, Moment, in_order};

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
