//! The checks of a record that the parser does not make.

use memchr::memchr;
use tokio::io::AsyncRead;

use super::super::quotes::{self, Quotes};
use super::super::step::ParsedRecord;
use super::super::step_builder::name_of_field_at;
use super::super::text_encoding::{Text, other_encoding};
use super::CsvReader;
use crate::contract::{Reason, Refusal};

impl<R: AsyncRead + Unpin + Send> CsvReader<R> {
    /// Checks the quotes of a record. Most records have none and need no check.
    pub(super) fn quotes_of(&self, raw: &[u8]) -> Quotes {
        match self.head.dialect.quote {
            Some(quote) if memchr(quote, raw).is_some() => quotes::check(raw, quote, &self.head.dialect),
            _ => Quotes::Sound,
        }
    }

    /// Checks the record in `scratch`: its quotes, the number of its fields, their size, NUL bytes, and UTF-8. Returns its fields as one
    /// text.
    ///
    /// The order matters for the reason: misplaced quotes often change the number of fields as well, and the quotes are the cause.
    pub(super) fn validate(&self, found: &ParsedRecord, quotes: Quotes) -> Result<&str, Refusal> {
        let (record, header) = (&self.scratch, self.header());
        if found.has_lone_cr() {
            return Err(Refusal::new(
                Reason::LONE_CARRIAGE_RETURN,
                "a field has a carriage return (\\r) that is not quoted, and is not the end of a line in this file",
            ));
        }
        if quotes == Quotes::TextAfter {
            return Err(Refusal::new(
                Reason::TEXT_AFTER_QUOTE,
                "there is text between a closing quote and the next delimiter",
            ));
        }
        let (found, expected) = (record.len(), header.names().len());
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
            let (name, len) = (&header.names()[index], field.len());
            let detail = format!("{name} has {len} bytes; the limit is {}", self.limits.max_field_bytes);
            return Err(Refusal::new(Reason::FIELD_TOO_LARGE, detail));
        }
        if let Some(at) = memchr(0, all) {
            let name = name_of_field_at(record, header, at);
            return Err(Refusal::new(Reason::NUL_BYTE, format!("{name} has a NUL byte")));
        }
        std::str::from_utf8(all).map_err(|err| {
            let at = err.valid_up_to();
            let (name, byte) = (name_of_field_at(record, header, at), all[at]);
            Refusal::new(
                Reason::INVALID_UTF8,
                format!("{name} has the byte 0x{byte:02x} at byte {at} of the record's fields"),
            )
        })
    }

    /// Why nothing behind this record can be read as UTF-8; `None` if that is not certain. Called for records that are refused.
    pub(super) fn other_encoding(&self, found: &ParsedRecord) -> Option<Refusal> {
        match self.head.text {
            Text::Utf8 => None,
            Text::Ascii => other_encoding(self.csv.get_ref().peek(found.start, found.end), found.start),
        }
    }

    /// Whether the record in `scratch`, which is `raw` in the file, has to be looked at because it may be no record, or not as it should
    /// be. Most records don't.
    pub(super) fn is_suspicious(&self, raw: &[u8]) -> bool {
        let record = &self.scratch;
        let is_name = |at: usize| record.get(at).is_some_and(|field| self.head.may_be_name(field));
        record.len() != self.header().names().len()
            || matches!(raw.first(), Some(b'-' | b'=' | b'+' | 0xef))
            || is_name(0)
            || is_name(record.len().saturating_sub(1))
    }

    /// Takes away a byte order mark in front of the record in `scratch`, as where files were put together, with the quotes of its first
    /// field, which were none for the parser. A first field with more quotes stays as it is.
    pub(super) fn remove_mark(&mut self) {
        let Some(first) = self.scratch.get(0).and_then(|first| first.strip_prefix(MARK)) else {
            return;
        };
        let quote = self.head.dialect.quote.unwrap_or_default();
        let unquoted = match first {
            [open, within @ .., close] if *open == quote && *close == quote && !within.contains(&quote) => within,
            [open, ..] if *open == quote => return,
            _ => first,
        };
        let fields = std::iter::once(unquoted).chain(self.scratch.iter().skip(1));
        self.scratch = fields.collect();
    }

    /// Makes of the record in `scratch` what the dialect says: without blanks around its values, and as long as the header.
    pub(super) fn adjust(&mut self) {
        let dialect = &self.head.dialect;
        let (fill_short_rows, cut_long_rows) = (dialect.fill_short_rows, dialect.cut_long_rows);
        if dialect.trim {
            self.scratch = self.scratch.iter().map(|field| dialect.value(field)).collect();
        }
        let expected = self.head.header.names().len();
        if cut_long_rows && self.scratch.len() > expected {
            self.scratch.truncate(expected);
        }
        while fill_short_rows && self.scratch.len() < expected {
            self.scratch.push_field(b"");
        }
    }
}

const MARK: &[u8] = b"\xef\xbb\xbf";
