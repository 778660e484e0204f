//! The checks of a record that the parser does not make.

use memchr::memchr;
use tokio::io::AsyncRead;

use super::super::quotes::{self, Quotes};
use super::super::step_builder::name_of_field_at;
use super::CsvReader;
use crate::contract::{Reason, Refusal};

impl<R: AsyncRead + Unpin + Send> CsvReader<R> {
    /// Checks the quotes of a record. Most records have none and need no check.
    pub(super) fn quotes_of(&self, raw: &[u8]) -> Quotes {
        match self.dialect.quote {
            Some(quote) if memchr(quote, raw).is_some() => quotes::check(raw, self.dialect.delimiter, quote),
            _ => Quotes::Sound,
        }
    }

    /// Checks the record in `scratch`: its quotes, the number of its fields, their size, and NUL bytes. UTF-8 is checked when the
    /// record is added to the step.
    ///
    /// The order matters for the reason: misplaced quotes often change the number of fields as well, and the quotes are the cause.
    pub(super) fn validate(&self, quotes: Quotes) -> Result<(), Refusal> {
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
}
