//! Opening a file: its encoding, the lines above the header, and the header.

use std::io;
use std::sync::Arc;

use csv_async::ByteRecord;
use tokio::io::AsyncRead;

use super::super::damage::damage;
use super::super::head::FileHead;
use super::super::header_lines::announced_delimiter;
use super::super::line_ends::{LineEnds, MAX_CR_RUN};
use super::super::resume::Resume;
use super::super::step::{HeaderStep, ParsedRecord};
use super::super::text_encoding::{Encoding, FIRST_BLOCK_BYTES, Text};
use super::super::{Columns, CsvLimits, Dialect, Header};
use super::CsvReader;
use crate::contract::{Reason, Refusal, Split};

/// How many lines are looked through for a header.
const MAX_LINES_ABOVE: u32 = 100;

impl<R: AsyncRead + Unpin + Send> CsvReader<R> {
    /// A reader of a split from its start, and its header checked against `columns`. Of files without a header only the names in the
    /// dialect are checked.
    ///
    /// Not cancel-safe. An error is an I/O error; a header that can't be used is in the result.
    pub(crate) async fn open(
        input: R,
        split: Split,
        limits: CsvLimits,
        dialect: Dialect,
        columns: &Columns,
    ) -> io::Result<(Self, HeaderStep)> {
        let head = FileHead::new(dialect, Arc::new(Header::new([""; 0])));
        let mut reader = Self::resume(input, split, limits, head, Resume::at_start());
        let mut first = reader.next().await;
        if let Ok(Some(found)) = &first
            && let Some(dialect) = reader.announced_dialect(found)
        {
            reader = reader.restarted(dialect);
            first = reader.next().await;
        }
        let encoding = Encoding::of(reader.csv.get_ref().peek(0, FIRST_BLOCK_BYTES as u64));
        let as_utf8 = match reader.head.dialect.charset {
            // Its text was converted.
            Some(_) => Ok(Text::Utf8),
            None => encoding.as_utf8(),
        };
        reader.head.text = *as_utf8.as_ref().unwrap_or(&Text::Ascii);
        if let Ok(Some(found)) = &first {
            let behind = reader
                .csv
                .get_ref()
                .peek(found.text_end, found.text_end + 1 + MAX_CR_RUN as u64);
            reader.head.line_ends = LineEnds::of(behind);
        }
        let mut step = match reader.head.dialect.columns.clone() {
            Some(names) => {
                let (names, delimiter) = (ByteRecord::from(names), reader.head.dialect.delimiter);
                let check = columns.check(&names, delimiter);
                match first {
                    Ok(found) => reader.parsed = found,
                    Err(err) => reader.failed = Some(err),
                }
                HeaderStep::Found { check, whole: true }
            }
            None => match first {
                Ok(Some(found)) => reader.header_in(found, columns).await?,
                Ok(None) => {
                    reader.take(reader.read_until());
                    HeaderStep::Empty
                }
                Err(err) => {
                    let refusal = damage(err, &reader.limits)?;
                    HeaderStep::Found {
                        whole: refusal.reason != Reason::COMPRESSED_TRUNCATED,
                        check: Err(refusal),
                    }
                }
            },
        };
        if let HeaderStep::Found { check, .. } = &mut step
            && check.is_ok()
            && let Err(refusal) = columns.check_path(reader.split.path())
        {
            *check = Err(refusal);
        }
        Ok(reader.opened(step, encoding, as_utf8.err()))
    }

    /// Puts together what was found out about the header and about the encoding.
    fn opened(mut self, mut step: HeaderStep, encoding: Encoding, refusal: Option<Refusal>) -> (Self, HeaderStep) {
        if let HeaderStep::Found { check, .. } = &mut step {
            let has_header = std::str::from_utf8(self.scratch.as_slice()).is_ok();
            match (&mut *check, refusal) {
                (Ok(check), refusal) => check.wrong_encoding = refusal,
                // A header that can be read says more.
                (Err(found), Some(refusal)) if !(has_header && matches!(encoding, Encoding::Other(..))) => {
                    if ![
                        Reason::RECORD_TOO_LARGE,
                        Reason::COMPRESSED_DAMAGED,
                        Reason::COMPRESSED_TRUNCATED,
                    ]
                    .contains(&found.reason)
                    {
                        *found = refusal;
                    }
                }
                (Err(_), _) => {}
            }
            if let Ok(check) = check {
                self.head.set_header(Arc::new(check.header.clone()));
            }
        }
        (self, step)
    }

    /// The header that `found` is, or one of the lines below it.
    async fn header_in(&mut self, found: ParsedRecord, columns: &Columns) -> io::Result<HeaderStep> {
        let delimiter = self.head.dialect.delimiter;
        let check = columns.check(&self.scratch, delimiter);
        let is_found_by_itself = self.head.dialect.skip_lines.is_none();
        let (mut header, mut check, mut widest) = (found, check, self.scratch.len());
        if let Err(refusal) = &check
            && refusal.reason != Reason::WRONG_ENCODING
            && is_found_by_itself
        {
            for above in 1..=MAX_LINES_ABOVE {
                let below = match self.next().await {
                    Ok(Some(below)) if below.end < FIRST_BLOCK_BYTES as u64 => below,
                    Ok(_) => break,
                    Err(err) => {
                        damage(err, &self.limits)?;
                        break;
                    }
                };
                let width = self.scratch.len();
                if width > widest
                    && let Ok(fits) = columns.check(&self.scratch, delimiter)
                {
                    tracing::info!(split = %self.split, "{above} lines above the header are skipped");
                    (header, check) = (below, Ok(fits));
                    break;
                }
                widest = widest.max(width);
            }
        }
        if header.terminated {
            self.take(header.end);
        }
        Ok(HeaderStep::Found {
            check,
            whole: header.terminated,
        })
    }

    /// The dialect that the first line announces, as `sep=;` does; `None` if it is a line like others.
    fn announced_dialect(&self, first: &ParsedRecord) -> Option<Dialect> {
        let dialect = &self.head.dialect;
        if dialect.skip_lines.is_some() {
            return None;
        }
        let announced = announced_delimiter(self.csv.get_ref().peek(first.start, first.text_end))?;
        // A delimiter that was given is right.
        let delimiter = match dialect.has_delimiter {
            true => dialect.delimiter,
            false => announced,
        };
        let announced = dialect
            .clone()
            .delimiter(delimiter)
            .skip_lines(first.blank_lines as u32 + 1);
        announced.check().is_ok().then_some(announced)
    }

    /// A reader of the same input from its start, of which nothing was given out yet.
    fn restarted(self, dialect: Dialect) -> Self {
        let head = FileHead::new(dialect, self.head.header);
        let tee = self.csv.into_inner().again();
        Self::over(tee, self.split, self.limits, head, Resume::at_start())
    }

    /// Reads records that are not UTF-8 as damaged ones, whatever the rest of the file is in.
    pub(crate) fn expect_utf8(&mut self) {
        self.head.text = Text::Utf8;
    }
}
