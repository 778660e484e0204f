//! Reading records: one step after the other, and a last record without a line end.

use std::io;

use tokio::io::AsyncRead;

use super::super::damage::{damage, record_too_large};
use super::super::line_ends::leading_terminators;
use super::super::quotes::Quotes;
use super::super::step::{End, ParsedRecord, Step};
use super::super::step_builder::StepBuilder;
use super::CsvReader;
use crate::contract::{Reason, Refusal};

impl<R: AsyncRead + Unpin + Send> CsvReader<R> {
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
    pub(super) async fn next(&mut self) -> Result<Option<ParsedRecord>, csv_async::Error> {
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

    /// Finishes a step: its records end at `end`, where reading goes on.
    fn give_out(&mut self, batch: StepBuilder, end: u64, ended: Option<End>) -> Step {
        let first = self.offset;
        let bytes = self.take(end);
        let mut step = batch.finish(&self.split, first, &bytes);
        step.end = ended;
        step
    }
}

/// The record without the byte order mark, which the parser removes at the start of a file.
fn without_bom(raw: &[u8], start: u64) -> &[u8] {
    match start {
        0 => raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw),
        _ => raw,
    }
}
