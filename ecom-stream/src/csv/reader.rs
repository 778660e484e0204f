//! The reader of one file: it can stop behind any record and resume there.
//!
//! The parser (csv-async) hides some damage: an unterminated quote swallows the rest of the file, text after a closing quote is
//! joined to the field, and blank lines are skipped. So every record is checked again on its original bytes.
//!
//! Reading goes like this:
//!
//! ```text
//!  new ──► read_header ──► step ──► step ──► … ──► step with an end
//!                           ▲                        │ Clean    everything is read
//!  resume (offset, digest) ─┘                        │ Tail     the last record has no terminator: wait, or take_tail
//!                                                    │ Damaged  nothing behind this can be trusted
//! ```
//!
//! After each step, `offset`, `record` and `digest` describe what was given out: they are the position from which `resume` goes
//! on. The offset is always right behind a record terminator, except after `take_tail`.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use csv_async::{AsyncReader, AsyncReaderBuilder, ByteRecord};
use memchr::memchr;
use tokio::io::AsyncRead;

use super::prefix_digest::PrefixDigest;
use super::quotes::{self, Quotes};
use super::step::{End, ParsedRecord, Step};
use super::step_builder::{StepBuilder, name_of_field_at};
use super::tee::{RecordTooLarge, Tee};
use super::{Columns, CsvLimits, Dialect, Header, HeaderCheck};
use crate::contract::{Reason, Refusal, Split};

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
    /// The header that records are checked against.
    header: Arc<Header>,
    /// The limits, adjusted so that a batch is never empty and fits 32-bit offsets.
    limits: CsvLimits,
    /// The dialect, for the second check of the quotes.
    dialect: Dialect,
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
}

/// An error of the input that is damage and will not pass: the compressed data can't be decompressed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Unreadable(pub(crate) Refusal);

/// The place from which a reader goes on.
#[derive(Debug, Clone)]
pub(crate) struct Resume {
    /// The offset of the next record.
    pub(crate) offset: u64,
    /// The number of the last record before.
    pub(crate) record: u64,
    /// The digest of everything before.
    pub(crate) digest: PrefixDigest,
    /// Whether a record terminator ends right before `offset`.
    pub(crate) behind_terminator: bool,
}

impl Resume {
    /// The offset at which the input must be when the reader is made.
    ///
    /// Behind a terminator this is one byte before `offset`: the parser sees the last byte of the terminator again, as a blank line.
    /// At its very start it would remove a byte order mark, which in the middle of a file belongs to a field.
    pub(crate) fn seek_to(&self) -> u64 {
        self.offset - u64::from(self.behind_terminator && self.offset > 0)
    }
}

/// The result of [`CsvReader::read_header`].
#[derive(Debug)]
pub(crate) enum HeaderStep {
    /// The input is empty or has only blank lines.
    Empty,
    /// A header was read. `whole` says whether it has a terminator; without one its writer may not be done.
    Found {
        check: Result<HeaderCheck, Refusal>,
        whole: bool,
    },
}

impl<R: AsyncRead + Unpin + Send> CsvReader<R> {
    /// A reader at the start of a split. [`read_header`](Self::read_header) must be called first.
    pub(crate) fn new(input: R, split: Split, limits: CsvLimits, dialect: Dialect) -> Self {
        let resume = Resume {
            offset: 0,
            record: 0,
            digest: PrefixDigest::default(),
            behind_terminator: false,
        };
        Self::resume(input, split, limits, dialect, Arc::new(Header::new([""; 0])), resume)
    }

    /// A reader that goes on where another one ended. `input` must be at [`Resume::seek_to`].
    pub(crate) fn resume(
        input: R,
        split: Split,
        limits: CsvLimits,
        dialect: Dialect,
        header: Arc<Header>,
        from: Resume,
    ) -> Self {
        let unkept = (from.offset - from.seek_to()) as usize;
        // A batch must have at least one record, and its fields must fit offsets of 32 bits.
        let limits = CsvLimits {
            max_batch_rows: limits.max_batch_rows.max(1),
            max_batch_bytes: limits.max_batch_bytes.clamp(1, u32::MAX as usize / 4),
            max_record_bytes: limits.max_record_bytes.min(u32::MAX as usize / 4),
            ..limits
        };
        let tee = Tee::new(input, from.seek_to(), unkept, limits.max_record_bytes as u64);
        Self {
            csv: AsyncReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(dialect.delimiter)
                .quote(dialect.quote.unwrap_or(b'"'))
                .quoting(dialect.quote.is_some())
                .buffer_capacity(BUFFER_BYTES)
                .create_reader(tee),
            base: from.seek_to(),
            split,
            header,
            limits,
            dialect,
            scratch: ByteRecord::new(),
            offset: from.offset,
            record: from.record,
            blank_lines: 0,
            digest: from.digest,
            refuse_next: None,
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

    /// The header; empty until it was read.
    pub(crate) fn header(&self) -> &Arc<Header> {
        &self.header
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
        let enough = match self.header.names().is_empty() {
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

    /// Reads the header and checks it against `columns`. For files without a header it only checks the names in the dialect.
    ///
    /// Not cancel-safe. An error is an I/O error; a header that can't be used is in the result.
    pub(crate) async fn read_header(&mut self, columns: &Columns) -> io::Result<HeaderStep> {
        if let Some(names) = &self.dialect.columns {
            let check = columns.check(&ByteRecord::from(names.clone()), self.dialect.delimiter);
            let check = check.and_then(|check| columns.check_path(self.split.path()).map(|()| check));
            if let Ok(check) = &check {
                self.header = Arc::new(check.header.clone());
            }
            return Ok(HeaderStep::Found { check, whole: true });
        }
        let found = match self.next().await {
            Ok(Some(found)) => found,
            Ok(None) => {
                self.take(self.read_until());
                return Ok(HeaderStep::Empty);
            }
            Err(err) => {
                let refusal = damage(err, &self.limits)?;
                return Ok(HeaderStep::Found {
                    whole: refusal.reason != Reason::COMPRESSED_TRUNCATED,
                    check: Err(refusal),
                });
            }
        };
        let check = columns.check(&self.scratch, self.dialect.delimiter);
        let check = check.and_then(|check| columns.check_path(self.split.path()).map(|()| check));
        if let Ok(check) = &check {
            self.header = Arc::new(check.header.clone());
        }
        if found.terminated {
            self.take(found.end);
        }
        Ok(HeaderStep::Found {
            check,
            whole: found.terminated,
        })
    }

    /// Reads at most one batch.
    ///
    /// | what comes next | what becomes of it |
    /// |---|---|
    /// | a record that passes all checks | one of [`Step::records`] |
    /// | a record with a wrong number of fields, misplaced quotes, a long field, a NUL or no UTF-8 | one of [`Step::rejects`] |
    /// | a blank line | skipped and counted |
    /// | a last record without a terminator | left for later: [`End::Tail`] |
    /// | a record that is too large, or damage in compressed data | [`End::Damaged`] |
    /// | the end of the input | [`End::Clean`] |
    ///
    /// Not cancel-safe: after a cancelled call the reader must be dropped. An error is an I/O error of the input; damage in its
    /// content is in [`Step::end`].
    pub(crate) async fn step(&mut self) -> io::Result<Step> {
        let mut batch = StepBuilder::new(self.header.clone());
        let first = self.offset;
        let mut end = self.offset;
        let ended = loop {
            if batch.len() >= self.limits.max_batch_rows || end - first >= self.limits.max_batch_bytes as u64 {
                break None;
            }
            let found = match self.next().await {
                Ok(Some(found)) => found,
                Ok(None) => {
                    // The input may have become shorter since `end` was found.
                    end = self.read_until().max(end);
                    break Some(End::Clean);
                }
                Err(err) => break Some(End::Damaged(damage(err, &self.limits)?)),
            };
            let raw = self.csv.get_ref().peek(found.start, found.text_end);
            if raw.len() > self.limits.max_record_bytes {
                break Some(End::Damaged(record_too_large(&self.limits)));
            }
            let quotes = self.quotes_of(without_bom(raw, found.start));
            if !found.terminated || quotes == Quotes::Open {
                break Some(End::Tail);
            }
            end = found.end;
            self.record += 1;
            self.blank_lines += found.blank_lines;
            let checked = self.refuse_next.take().map_or_else(|| self.validate(quotes), Err);
            batch.add(&self.scratch, checked, self.record, &found);
        };
        Ok(self.give_out(batch, end, ended))
    }

    /// After [`End::Tail`]: takes the last record although it has no terminator. If its quotes are open, the file is damaged instead.
    ///
    /// The caller decides when to do this: when the file has not changed for some time, its writer is probably done. If the file grows
    /// afterwards, the record was cut in two, and the source must say so ([`Reason::GREW_MID_RECORD`]).
    pub(crate) fn take_tail(&mut self) -> Step {
        let (found, quotes) = self.tail();
        let end = found.end;
        if quotes == Quotes::Open {
            let detail = format!(
                "the file ends inside a quoted field of the record at byte {}",
                found.start
            );
            let damage = End::Damaged(Refusal::new(Reason::UNTERMINATED_QUOTE, detail));
            return Step {
                end: Some(damage),
                ..Step::default()
            };
        }
        let mut batch = StepBuilder::new(self.header.clone());
        let mut checked = self.refuse_next.take().map_or_else(|| self.validate(quotes), Err);
        if let Err(refusal) = &mut checked {
            refusal
                .detail
                .push_str("; this is the last record and has no line end, so the file may be cut off");
        }
        self.record += 1;
        self.blank_lines += found.blank_lines;
        batch.add(&self.scratch, checked, self.record, &found);
        self.give_out(batch, end, Some(End::Clean))
    }

    /// After [`End::Tail`]: whether a quote is open at the end, so that the last record may be many lines.
    pub(crate) fn tail_is_quoted(&self) -> bool {
        self.tail().1 == Quotes::Open
    }

    /// After [`End::Tail`]: where the last record is, and its quotes.
    fn tail(&self) -> (ParsedRecord, Quotes) {
        let end = self.read_until();
        let raw = self.csv.get_ref().peek(self.offset, end);
        let blank = leading_terminators(raw, self.csv.get_ref().byte_before(self.offset));
        let found = ParsedRecord {
            start: self.offset + blank.bytes,
            blank_lines: blank.lines,
            end,
            text_end: end,
            terminated: false,
        };
        let quotes = self.quotes_of(without_bom(&raw[blank.bytes as usize..], found.start));
        (found, quotes)
    }

    /// Parses the next record into `scratch` and finds its bytes; `None` at the end of the input.
    async fn next(&mut self) -> Result<Option<ParsedRecord>, csv_async::Error> {
        let from = self.read_until().max(self.offset);
        self.csv.get_mut().begin_record(from);
        if !self.csv.read_byte_record(&mut self.scratch).await? {
            return Ok(None);
        }
        let end = self.read_until();
        let raw = self.csv.get_ref().peek(from, end);
        // The parser skips blank lines silently, and may leave the \n of the last \r\n to the next record.
        let blank = leading_terminators(raw, self.csv.get_ref().byte_before(from));
        let terminator = match raw {
            [.., b'\r', b'\n'] => 2,
            [.., b'\r' | b'\n'] => 1,
            _ => 0,
        };
        Ok(Some(ParsedRecord {
            start: from + blank.bytes,
            blank_lines: blank.lines,
            end,
            text_end: end - terminator,
            terminated: terminator > 0,
        }))
    }

    /// Checks the quotes of a record. Most records have none and need no check.
    fn quotes_of(&self, raw: &[u8]) -> Quotes {
        match self.dialect.quote {
            Some(quote) if memchr(quote, raw).is_some() => quotes::check(raw, self.dialect.delimiter, quote),
            _ => Quotes::Sound,
        }
    }

    /// Checks the record in `scratch`: its quotes, the number of its fields, their size, and NUL bytes. UTF-8 is checked when the
    /// record is added to the step.
    ///
    /// The order matters for the reason: misplaced quotes often change the number of fields as well, and the quotes are the cause.
    fn validate(&self, quotes: Quotes) -> Result<(), Refusal> {
        let record = &self.scratch;
        if quotes == Quotes::TextAfter {
            return Err(Refusal::new(
                Reason::TEXT_AFTER_QUOTE,
                "there is text between a closing quote and the next delimiter",
            ));
        }
        let (found, expected) = (record.len(), self.header.names().len());
        if found != expected {
            let detail = format!("{found} fields where the header has {expected}");
            return Err(Refusal::new(Reason::FIELD_COUNT, detail));
        }
        let all = record.as_slice();
        if all.len() > self.limits.max_field_bytes
            && let Some((index, field)) = record
                .iter()
                .enumerate()
                .find(|(_, field)| field.len() > self.limits.max_field_bytes)
        {
            let (name, len) = (&self.header.names()[index], field.len());
            let detail = format!("{name} has {len} bytes; the limit is {}", self.limits.max_field_bytes);
            return Err(Refusal::new(Reason::FIELD_TOO_LARGE, detail));
        }
        if let Some(at) = memchr(0, all) {
            let name = name_of_field_at(record, &self.header, at);
            return Err(Refusal::new(Reason::NUL_BYTE, format!("{name} has a NUL byte")));
        }
        Ok(())
    }

    /// Finishes a step: its records end at `end`, where reading goes on.
    fn give_out(&mut self, batch: StepBuilder, end: u64, ended: Option<End>) -> Step {
        let first = self.offset;
        let bytes = self.take(end);
        let mut step = batch.finish(&self.split, first, &bytes);
        step.end = ended;
        step
    }

    /// Moves the offset to `end` and returns the bytes in between.
    fn take(&mut self, end: u64) -> Bytes {
        let bytes = self.csv.get_mut().take_until(end);
        self.digest.update(&bytes);
        self.offset = end;
        bytes
    }
}

/// The record without the byte order mark, which the parser removes at the start of a file.
fn without_bom(raw: &[u8], start: u64) -> &[u8] {
    match start {
        0 => raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw),
        _ => raw,
    }
}

/// The blank lines in front of a record: the number of bytes and of lines.
struct Blank {
    bytes: u64,
    lines: u64,
}

/// The line ends in front of a record. `before` is the byte in front of them, so a `\n` that completes a `\r\n` is not counted.
fn leading_terminators(raw: &[u8], before: Option<u8>) -> Blank {
    let bytes = raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let mut previous = before;
    let mut lines = 0;
    for &byte in &raw[..bytes] {
        // The \n of a \r\n is not a line of its own; the parser may have left it over from the last record.
        lines += u64::from(!(byte == b'\n' && previous == Some(b'\r')));
        previous = Some(byte);
    }
    Blank {
        bytes: bytes as u64,
        lines,
    }
}

/// The refusal for an error that is damage: a record without an end, or compressed data that can't be decompressed. Any other
/// error is returned as it is.
fn damage(err: csv_async::Error, limits: &CsvLimits) -> io::Result<Refusal> {
    match err.into_kind() {
        csv_async::ErrorKind::Io(err) if err.get_ref().is_some_and(|inner| inner.is::<RecordTooLarge>()) => {
            Ok(record_too_large(limits))
        }
        csv_async::ErrorKind::Io(err) => match err.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(Unreadable(refusal)) => Ok(refusal.clone()),
            None => Err(err),
        },
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

/// The refusal of a record that is longer than the limit.
fn record_too_large(limits: &CsvLimits) -> Refusal {
    let detail = format!(
        "the record does not end within {} bytes: the usual cause is a quote that is never closed",
        limits.max_record_bytes
    );
    Refusal::new(Reason::RECORD_TOO_LARGE, detail)
}

#[cfg(test)]
mod tests;
