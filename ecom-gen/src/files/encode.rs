//! Encodes the rows of a slice, on any thread.

use std::sync::Arc;

use super::row::Row;
use crate::csv_row::CsvFormatter;
use crate::dirt::{Dirt, FaultyRow, write_faulty_row};
use crate::shop::{Model, SimulatedEvent, sort_by_delivery};

const ROW_BYTES: usize = 190;

/// Encodes the rows of a slice.
#[derive(Clone)]
pub(super) struct Encoder {
    pub(super) model: Arc<Model>,
    pub(super) dirt: Dirt,
}

/// The rows that are delivered in a slice, in order.
pub(super) struct EncodedSlice {
    pub(super) slice: i64,
    events: Vec<SimulatedEvent>,
    bytes: Vec<u8>,
    /// Where each row ends in `bytes`.
    ends: Vec<usize>,
    /// The rows with faults, by index, in order.
    faulty: Vec<(usize, FaultyRow)>,
}

impl Encoder {
    pub(super) fn encode(&self, slice: i64, events: Vec<SimulatedEvent>) -> EncodedSlice {
        let events = sort_by_delivery(events);
        let mut bytes = Vec::with_capacity(events.len() * ROW_BYTES);
        let mut ends = Vec::with_capacity(events.len());
        let mut faulty = Vec::new();
        let mut formatter = CsvFormatter::default();
        for (index, event) in events.iter().enumerate() {
            let fields = formatter.fields(&self.model, event);
            match self.dirt.fault_of_row(&self.model, event) {
                None => fields.write(b"\n", &mut bytes),
                Some((kind, key)) => {
                    let mut clean = Vec::new();
                    fields.write(b"\n", &mut clean);
                    let reason = write_faulty_row(kind, key, &fields, &mut bytes);
                    let clean = clean.into();
                    faulty.push((index, FaultyRow { kind, reason, clean }));
                }
            }
            ends.push(bytes.len());
        }
        EncodedSlice {
            slice,
            events,
            bytes,
            ends,
            faulty,
        }
    }
}

impl EncodedSlice {
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn row(&self, index: usize) -> Row<'_> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        let faulty = self.faulty.binary_search_by_key(&index, |(index, _)| *index);
        Row {
            event: &self.events[index],
            bytes: &self.bytes[start..self.ends[index]],
            faulty: faulty.ok().map(|at| &self.faulty[at].1),
        }
    }
}
