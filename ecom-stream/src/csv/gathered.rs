use std::sync::Arc;

use bytes::Bytes;
use csv_async::ByteRecord;

use super::step::{Found, Step};
use super::{CsvRows, Header};
use crate::contract::{Origin, Reason, Record, Refusal, Reject, Split};

/// The most of a rejected record that is kept.
pub(super) const MAX_REJECT_BYTES: usize = 64 << 10;

/// The records of a step, while their bytes are still in the window.
pub(super) struct Gathered {
    rows: CsvRows,
    places: Vec<Place>,
    rejects: Vec<(Place, Refusal)>,
}

struct Place {
    record: u64,
    start: u64,
    end: u64,
}

impl Gathered {
    pub(super) fn new(header: Arc<Header>) -> Self {
        Self {
            rows: CsvRows::new(header),
            places: Vec::new(),
            rejects: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() + self.rejects.len()
    }

    pub(super) fn add(&mut self, fields: &ByteRecord, judged: Result<(), Refusal>, record: u64, found: &Found) {
        let place = Place {
            record,
            start: found.start,
            end: found.text_end,
        };
        let judged = judged.and_then(|()| self.text_of(fields));
        match judged {
            Ok(text) => {
                let ends = (0..fields.len())
                    .filter_map(|index| fields.range(index))
                    .map(|range| range.end);
                self.rows.push(text, ends);
                self.places.push(place);
            }
            Err(refusal) => self.rejects.push((place, refusal)),
        }
    }

    fn text_of<'a>(&self, fields: &'a ByteRecord) -> Result<&'a str, Refusal> {
        std::str::from_utf8(fields.as_slice()).map_err(|err| {
            let at = err.valid_up_to();
            let (name, byte) = (name_of_field_at(fields, self.rows.header(), at), fields.as_slice()[at]);
            Refusal::new(
                Reason::INVALID_UTF8,
                format!("{name} has the byte 0x{byte:02x} at byte {at} of the record's fields"),
            )
        })
    }

    /// `bytes` begin at `first` in the split.
    pub(super) fn finish(self, split: &Split, first: u64, bytes: &Bytes) -> Step {
        let origin = |place: &Place, max_bytes: usize| {
            let start = (place.start - first) as usize;
            let end = (place.end - first) as usize;
            Origin {
                split: split.clone(),
                record: place.record,
                byte_offset: place.start,
                raw: bytes.slice(start..end.min(start.saturating_add(max_bytes))),
            }
        };
        let records = self.rows.into_records().zip(&self.places).map(|(value, place)| Record {
            value,
            origin: Some(origin(place, usize::MAX)),
        });
        let rejects = self.rejects.into_iter().map(|(place, mut refusal)| {
            let len = place.end - place.start;
            if len > MAX_REJECT_BYTES as u64 {
                refusal
                    .detail
                    .push_str(&format!("; only the first {MAX_REJECT_BYTES} of {len} bytes are kept"));
            }
            Reject::new(origin(&place, MAX_REJECT_BYTES), refusal)
        });
        Step {
            records: records.collect(),
            rejects: rejects.collect(),
            bytes: bytes.len(),
            end: None,
        }
    }
}

/// The name of the column in which the byte at `at` of all fields stands.
pub(super) fn name_of_field_at<'a>(fields: &ByteRecord, header: &'a Header, at: usize) -> &'a str {
    let index = (0..fields.len()).find(|&index| fields.range(index).is_some_and(|range| range.contains(&at)));
    index
        .and_then(|index| header.names().get(index))
        .map_or("", String::as_str)
}
