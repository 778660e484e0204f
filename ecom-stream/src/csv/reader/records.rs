//! Reading records: one step after the other, and a last record without a line end.

use std::io;

use memchr::memrchr2;
use tokio::io::AsyncRead;

use super::super::damage::{damage, record_too_large};
use super::super::header_lines::{HeaderLine, header_changed};
use super::super::line_ends::{LineEnds, MAX_CR_RUN, belongs_to_newline, leading_lines, leading_terminators};
use super::super::quotes::Quotes;
use super::super::step::{End, ParsedRecord, Step};
use super::super::step_builder::StepBuilder;
use super::CsvReader;
use crate::contract::{Reason, Refusal};

/// What becomes of a line that is no record.
enum NoRecord {
    Skipped,
    Damage(Refusal),
}

impl<R: AsyncRead + Unpin + Send> CsvReader<R> {
    /// Reads at most one batch.
    ///
    /// | what comes next | what becomes of it |
    /// |---|---|
    /// | a record that passes all checks | one of [`Step::records`] |
    /// | a record with a wrong number of fields, misplaced quotes, a long field, a NUL or no UTF-8 | one of [`Step::rejects`] |
    /// | a blank line, a comment | skipped and counted |
    /// | the header again, a line of dashes | skipped |
    /// | another header | [`End::Damaged`]: what follows would be read by the wrong names |
    /// | a record that is not UTF-8, where all before is ASCII | [`End::Damaged`]: the file is in another encoding |
    /// | a last record without a terminator | left for later: [`End::Tail`] |
    /// | a record that is too large, or damage in compressed data | [`End::Damaged`] |
    /// | the end of the input | [`End::Clean`] |
    ///
    /// Not cancel-safe: after a cancelled call the reader must be dropped. An error is an I/O error of the input; damage in its
    /// content is in [`Step::end`].
    pub(crate) async fn step(&mut self) -> io::Result<Step> {
        let mut batch = StepBuilder::new(self.header().clone());
        let first = self.offset;
        let mut end = self.offset;
        let ended = loop {
            if batch.len() >= self.limits.max_batch_rows || end - first >= self.limits.max_batch_bytes as u64 {
                break None;
            }
            let found = match self.next().await {
                Ok(Some(found)) => found,
                Ok(None) => {
                    // The input may have become shorter since `end` was found. A comment may be half written.
                    let rest = self.csv.get_ref().peek(end, self.read_until());
                    end += memrchr2(b'\r', b'\n', rest).map_or(0, |last| last as u64 + 1);
                    break Some(End::Clean);
                }
                Err(err) => break Some(End::Damaged(damage(err, &self.limits)?)),
            };
            let raw = self.csv.get_ref().peek(found.start, found.text_end);
            if raw.len() > self.limits.max_record_bytes {
                break Some(End::Damaged(record_too_large(&self.limits)));
            }
            let quotes = self.quotes_of(without_bom(
                &raw[(found.parsed_from - found.start) as usize..],
                found.parsed_from,
            ));
            if !found.terminated || quotes == Quotes::Open {
                self.tail = Some((found, quotes));
                break Some(End::Tail);
            }
            if self.is_suspicious(raw)
                && let Some(no_record) = self.no_record(&found)
            {
                if let NoRecord::Damage(refusal) = no_record {
                    break Some(End::Damaged(refusal));
                }
                end = found.end;
                self.blank_lines += found.blank_lines;
                continue;
            }
            if self.adjusts {
                self.adjust();
            }
            let checked = match self.refuse_next.take() {
                Some(refusal) => Err(refusal),
                None => self.validate(&found, quotes),
            };
            if checked.is_err()
                && let Some(refusal) = self.other_encoding(&found)
            {
                break Some(End::Damaged(refusal));
            }
            end = found.end;
            batch.add(&self.scratch, checked, self.record + 1, &found);
            self.record += 1;
            self.blank_lines += found.blank_lines;
        };
        Ok(self.give_out(batch, end, ended))
    }

    /// After [`End::Tail`]: takes the last record although it has no terminator. If its quotes are open, the file is damaged instead.
    ///
    /// The caller decides when to do this: when the file has not changed for some time, its writer is probably done. If the file grows
    /// afterwards, the record was cut in two, and the source must say so ([`Reason::GREW_MID_RECORD`]).
    pub(crate) fn take_tail(&mut self) -> Step {
        let Some((found, quotes)) = self.tail.take() else {
            return Step::ended(End::Clean);
        };
        if quotes == Quotes::Open {
            let detail = format!(
                "the file ends inside a quoted field of the record at byte {}",
                found.start
            );
            return Step::ended(End::Damaged(Refusal::new(Reason::UNTERMINATED_QUOTE, detail)));
        }
        let mut batch = StepBuilder::new(self.header().clone());
        let raw = self.csv.get_ref().peek(found.start, found.text_end);
        if self.is_suspicious(raw)
            && let Some(no_record) = self.no_record(&found)
        {
            return match no_record {
                NoRecord::Skipped => self.give_out(batch, found.end, Some(End::Clean)),
                NoRecord::Damage(refusal) => Step::ended(End::Damaged(refusal)),
            };
        }
        if self.adjusts {
            self.adjust();
        }
        let mut checked = match self.refuse_next.take() {
            Some(refusal) => Err(refusal),
            None => self.validate(&found, quotes),
        };
        if checked.is_err()
            && let Some(refusal) = self.other_encoding(&found)
        {
            return Step::ended(End::Damaged(refusal));
        }
        if let Err(refusal) = &mut checked {
            refusal
                .detail
                .push_str("; this is the last record and has no line end, so the file may be cut off");
        }
        batch.add(&self.scratch, checked, self.record + 1, &found);
        self.record += 1;
        self.blank_lines += found.blank_lines;
        self.give_out(batch, found.end, Some(End::Clean))
    }

    /// After [`End::Tail`]: whether a quote is open at the end, so that the last record may be many lines.
    pub(crate) fn tail_is_quoted(&self) -> bool {
        self.tail.as_ref().is_some_and(|(_, quotes)| *quotes == Quotes::Open)
    }

    /// What becomes of the line in `scratch` if it is no record. Takes away a byte order mark in front of it.
    fn no_record(&mut self, found: &ParsedRecord) -> Option<NoRecord> {
        if self.refuse_next.is_some() {
            return None;
        }
        self.remove_mark();
        Some(match HeaderLine::of(&self.scratch, self.header())? {
            HeaderLine::Other => NoRecord::Damage(header_changed(&self.scratch, found.start)),
            HeaderLine::Repeated | HeaderLine::Rule => {
                if !self.has_warned {
                    self.has_warned = true;
                    tracing::info!(split = %self.split, offset = found.start, "skipped: the header again, or a line of dashes");
                }
                NoRecord::Skipped
            }
        })
    }

    /// Parses the next record into `scratch` and finds its bytes; `None` at the end of the input.
    pub(super) async fn next(&mut self) -> Result<Option<ParsedRecord>, csv_async::Error> {
        if let Some(err) = self.failed.take() {
            return Err(err);
        }
        if self.parsed.is_some() {
            return Ok(self.parsed.take());
        }
        let from = self.read_until().max(self.offset);
        self.csv.get_mut().begin_record(from);
        if !self.csv.read_byte_record(&mut self.scratch).await? {
            return Ok(None);
        }
        let mut end = self.read_until();
        let mut parsed_from = None;
        if self.head.line_ends == LineEnds::Newline {
            while self.ends_with_lone_cr(end) {
                parsed_from = Some(end);
                if !self.csv.read_byte_record(&mut self.scratch).await? {
                    break;
                }
                end = self.read_until();
            }
        }
        let (tee, dialect) = (self.csv.get_ref(), &self.head.dialect);
        let raw = tee.peek(from, end);
        // The parser skips blank lines silently, and may leave the \n of the last \r\n to the next record.
        let before = tee.byte_before(from);
        let blank = match dialect.needs_mask() {
            true => leading_lines(raw, before, dialect, from == 0),
            false => leading_terminators(raw, before),
        };
        let (terminator, terminated) = match raw {
            [.., b'\r', b'\n'] => (2, true),
            // Its \n may not be there yet.
            [.., b'\r'] if self.head.line_ends == LineEnds::Newline && tee.peek(end, end + 1).is_empty() => (1, false),
            [.., b'\r' | b'\n'] => (1, true),
            _ => (0, false),
        };
        let start = from + blank.bytes;
        Ok(Some(ParsedRecord {
            start,
            blank_lines: blank.lines,
            end,
            text_end: end - terminator,
            terminated,
            parsed_from: parsed_from.unwrap_or(start),
        }))
    }

    /// Whether the parser ended a record at a `\r` that ends no line.
    fn ends_with_lone_cr(&self, end: u64) -> bool {
        let tee = self.csv.get_ref();
        tee.peek(end - 1, end) == b"\r" && !belongs_to_newline(tee.peek(end, end + MAX_CR_RUN as u64))
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
