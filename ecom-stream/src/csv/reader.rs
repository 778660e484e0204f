//! The reader of one file: it can stop behind any record and resume there.
//!
//! The parser (csv-async) hides some damage: an unterminated quote swallows the rest of the file, text after a closing quote is
//! joined to the field, and blank lines are skipped. So every record is checked again on its original bytes.
//!
//! Reading goes like this:
//!
//! ```text
//!  open ──► header ───────► step ──► step ──► … ──► step with an end
//!                           ▲                        │ Clean    everything is read
//!  resume (offset, digest) ─┘                        │ Tail     the last record has no terminator: wait, or take_tail
//!                                                    │ Damaged  nothing behind this can be trusted
//! ```
//!
//! After each step, `offset`, `record` and `digest` describe what was given out: they are the position from which `resume` goes
//! on. The offset is always right behind a record terminator, except after `take_tail`.
//!
//! `opening` reads the header, `records` the steps, and `checks` has the checks of a record.

mod checks;
mod opening;
mod records;

use std::sync::Arc;

use bytes::Bytes;
use csv_async::{AsyncReader, AsyncReaderBuilder, ByteRecord};
use tokio::io::AsyncRead;

use super::head::FileHead;
use super::mask::Mask;
use super::prefix_digest::PrefixDigest;
use super::quotes::Quotes;
use super::resume::Resume;
use super::step::ParsedRecord;
use super::tee::Tee;
use super::{CsvLimits, Header};
use crate::contract::{Refusal, Split};

/// The size of the parser's buffer. With this size it takes a third of the CPU time that it takes with its default of 8 KiB.
const BUFFER_BYTES: usize = 256 << 10;

/// Reads one split, from its start or from an offset behind a record.
pub(crate) struct CsvReader<R> {
    /// The parser, reading through the tee.
    csv: AsyncReader<Tee<R>>,
    /// The offset in the split at which the parser began.
    base: u64,
    /// The split, for the origins of records.
    split: Split,
    /// The dialect and the header that records are checked against.
    head: FileHead,
    /// The limits, adjusted so that a batch is never empty and fits 32-bit offsets.
    limits: CsvLimits,
    /// The fields of the record that was parsed last.
    scratch: ByteRecord,
    /// Where reading goes on: everything before was given out.
    offset: u64,
    /// The number of the last record that was given out.
    record: u64,
    /// How many blank lines were skipped.
    blank_lines: u64,
    /// The digest of everything before `offset`.
    digest: PrefixDigest,
    /// Why the next record is refused, whatever it is.
    refuse_next: Option<Refusal>,
    /// A record that was parsed and not given out, because something had to be known of it before its turn.
    parsed: Option<ParsedRecord>,
    /// The same for an error.
    failed: Option<csv_async::Error>,
    /// The last record, if it has no terminator, and its quotes.
    tail: Option<(ParsedRecord, Quotes)>,
    /// Whether records are changed as the dialect says before they are checked.
    adjusts: bool,
    /// Whether the log has said that lines are skipped.
    has_warned: bool,
}

impl<R: AsyncRead + Unpin + Send> CsvReader<R> {
    /// A reader that goes on where another one ended, in a file with this [`head`](Self::head). `input` must be at [`Resume::seek_to`].
    pub(crate) fn resume(input: R, split: Split, limits: CsvLimits, head: FileHead, from: Resume) -> Self {
        let unkept = (from.offset - from.seek_to()) as usize;
        // A batch must have at least one record, and its fields must fit offsets of 32 bits.
        let limits = CsvLimits {
            max_batch_rows: limits.max_batch_rows.max(1),
            max_batch_bytes: limits.max_batch_bytes.clamp(1, u32::MAX as usize / 4),
            max_record_bytes: limits.max_record_bytes.min(u32::MAX as usize / 4),
            ..limits
        };
        let tee = Tee::new(input, from.seek_to(), unkept, limits.max_record_bytes as u64);
        Self::over(tee, split, limits, head, from)
    }

    /// A reader of what comes through the tee.
    fn over(tee: Tee<R>, split: Split, limits: CsvLimits, head: FileHead, from: Resume) -> Self {
        let dialect = &head.dialect;
        let mask = dialect.needs_mask().then(|| Mask::new(dialect, from.offset == 0));
        Self {
            csv: AsyncReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(dialect.delimiter)
                .quote(dialect.quote.unwrap_or(b'"'))
                .quoting(dialect.quote.is_some())
                .escape(dialect.escape)
                .buffer_capacity(BUFFER_BYTES)
                .create_reader(tee.masked(mask)),
            base: from.seek_to(),
            split,
            adjusts: dialect.trim || dialect.fill_short_rows || dialect.cut_long_rows,
            head,
            limits,
            scratch: ByteRecord::new(),
            offset: from.offset,
            record: from.record,
            blank_lines: 0,
            digest: from.digest,
            refuse_next: None,
            parsed: None,
            failed: None,
            tail: None,
            has_warned: false,
        }
    }

    /// Where reading goes on: behind the last record that was given out, or behind the header.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of the last record that was given out.
    pub(crate) fn record(&self) -> u64 {
        self.record
    }

    /// How many blank lines were skipped before the records that this reader has given out.
    pub(crate) fn blank_lines(&self) -> u64 {
        self.blank_lines
    }

    /// Where another reader goes on if it is to give out what follows. `behind_terminator` is as in [`Resume`].
    pub(crate) fn resume_at(&self, behind_terminator: bool) -> Resume {
        Resume {
            offset: self.offset,
            record: self.record,
            digest: self.digest.clone(),
            behind_terminator,
        }
    }

    /// How far the input was parsed. This may be further than [`offset`](Self::offset).
    pub(crate) fn read_until(&self) -> u64 {
        self.base + self.csv.position().byte()
    }

    /// The digest of everything before [`offset`](Self::offset).
    pub(crate) fn digest(&self) -> &PrefixDigest {
        &self.digest
    }

    /// The header; empty if it was not read.
    pub(crate) fn header(&self) -> &Arc<Header> {
        &self.head.header
    }

    /// What the start of the file says about the rest of it.
    pub(crate) fn head(&self) -> &FileHead {
        &self.head
    }

    /// Has the next record refused for this reason, whatever it is.
    pub(crate) fn refuse_next(&mut self, refusal: Refusal) {
        self.refuse_next = Some(refusal);
    }

    /// Why the next record is refused whatever it is; `None` if it is not.
    pub(crate) fn next_refusal(&self) -> Option<&Refusal> {
        self.refuse_next.as_ref()
    }

    /// Whether what was read and not given out ends in NULs, as space does that was allocated for a file and not written yet.
    pub(crate) fn ends_in_zeros(&self) -> bool {
        // A text in UTF-16 or UTF-32 ends in up to three. A file with a header that fits is in neither.
        let enough = match self.header().names().is_empty() {
            true => 4,
            false => 1,
        };
        let rest = self.csv.get_ref().peek(self.offset, u64::MAX);
        let end = &rest[rest.len().saturating_sub(enough)..];
        !end.is_empty() && end.iter().all(|byte| *byte == 0)
    }

    /// The input.
    pub(crate) fn input(&self) -> &R {
        self.csv.get_ref().inner()
    }

    /// The input, to look at what is below. It must be left at the place where it is.
    pub(crate) fn input_mut(&mut self) -> &mut R {
        self.csv.get_mut().inner_mut()
    }

    /// The input, at some place behind what was given out.
    pub(crate) fn into_input(self) -> R {
        self.csv.into_inner().into_inner()
    }

    /// Moves the offset to `end` and returns the bytes in between.
    fn take(&mut self, end: u64) -> Bytes {
        let bytes = self.csv.get_mut().take_until(end);
        self.digest.update(&bytes);
        self.offset = end;
        bytes
    }
}

#[cfg(test)]
mod tests;
