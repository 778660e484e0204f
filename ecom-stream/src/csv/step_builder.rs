//! Builds a step of records and rejects, and gives each its original bytes.

use std::sync::Arc;

use bytes::Bytes;
use csv_async::ByteRecord;

use super::step::{ParsedRecord, Step};
use super::{CsvRows, Header};
use crate::contract::{Origin, Record, Refusal, Reject, Split};

/// How many bytes of a rejected record are kept at most: 64 KiB. The detail of a longer one says that it was cut.
pub(super) const MAX_REJECT_BYTES: usize = 64 << 10;

/// A step that is being built.
///
/// While records are added, their bytes are still in the window of the [`Tee`](super::tee::Tee), so only their spans are
/// remembered. [`finish`](Self::finish) gets all bytes of the step at once and cuts each record's bytes out of them without
/// copying.
pub(super) struct StepBuilder {
    /// The fields of the records.
    rows: CsvRows,
    /// The spans of the records, in the same order as their rows.
    spans: Vec<RecordSpan>,
    /// The spans of the rejects, and why each was refused.
    rejects: Vec<(RecordSpan, Refusal)>,
}

/// Where a record is in the split: its number, and its first and last byte without the terminator.
struct RecordSpan {
    record: u64,
    start: u64,
    end: u64,
}

impl StepBuilder {
    /// An empty step for records under `header`.
    pub(super) fn new(header: Arc<Header>) -> Self {
        Self {
            rows: CsvRows::new(header),
            spans: Vec::new(),
            rejects: Vec::new(),
        }
    }

    /// The number of records and rejects so far.
    pub(super) fn len(&self) -> usize {
        self.spans.len() + self.rejects.len()
    }

    /// Adds a parsed record: to the records if `checked` is `Ok`, otherwise to the rejects.
    ///
    /// `fields` are the record's fields, which `checked` has as text, `record` is its number in the split, and `found` says where its
    /// bytes are.
    pub(super) fn add(
        &mut self,
        fields: &ByteRecord,
        checked: Result<&str, Refusal>,
        record: u64,
        found: &ParsedRecord,
    ) {
        let span = RecordSpan {
            record,
            start: found.start,
            end: found.text_end,
        };
        match checked {
            Ok(text) => {
                let ends = (0..fields.len())
                    .filter_map(|index| fields.range(index))
                    .map(|range| range.end);
                self.rows.push(text, ends);
                self.spans.push(span);
            }
            Err(refusal) => self.rejects.push((span, refusal)),
        }
    }

    /// The finished step. `bytes` are the bytes of `split` from the offset `first` to the end of the last record.
    pub(super) fn finish(self, split: &Split, first: u64, bytes: &Bytes) -> Step {
        let origin = |span: &RecordSpan, max_bytes: usize| {
            let start = (span.start - first) as usize;
            let end = (span.end - first) as usize;
            let len = end - start;
            Origin {
                split: split.clone(),
                record: span.record,
                byte_offset: span.start,
                raw: match len > max_bytes {
                    // A slice would keep all of it in memory.
                    true => Bytes::copy_from_slice(&bytes[start..start + max_bytes]),
                    false => bytes.slice(start..end),
                },
            }
        };
        let records = self.rows.into_records().zip(&self.spans).map(|(value, span)| Record {
            value,
            origin: Some(origin(span, usize::MAX)),
        });
        let rejects = self.rejects.into_iter().map(|(span, mut refusal)| {
            let len = span.end - span.start;
            if len > MAX_REJECT_BYTES as u64 {
                refusal
                    .detail
                    .push_str(&format!("; only the first {MAX_REJECT_BYTES} of {len} bytes are kept"));
            }
            Reject::new(origin(&span, MAX_REJECT_BYTES), refusal)
        });
        Step {
            records: records.collect(),
            rejects: rejects.collect(),
            bytes: bytes.len(),
            end: None,
        }
    }
}

/// The name of the column that the byte at `at` belongs to, counted over all fields of the record together.
pub(super) fn name_of_field_at<'a>(fields: &ByteRecord, header: &'a Header, at: usize) -> &'a str {
    let index = (0..fields.len()).find(|&index| fields.range(index).is_some_and(|range| range.contains(&at)));
    index
        .and_then(|index| header.names().get(index))
        .map_or("", String::as_str)
}
