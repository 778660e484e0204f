use std::collections::HashSet;

use crate::contract::{Error, ErrorKind, Result};

/// How CSV files are written: what parts their fields, what quotes them, and whether they name their columns.
///
/// Records end with a line end, `\n`, `\r\n` or `\r`, and a quote within quotes is doubled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) quote: Option<u8>,
    pub(crate) columns: Option<Vec<String>>,
}

impl Default for Dialect {
    /// Commas, double quotes, and a header.
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            columns: None,
        }
    }
}

impl Dialect {
    /// Fields are parted by this byte, an ASCII character.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Fields may be quoted with this byte, an ASCII character; with `None` no character quotes.
    #[must_use]
    pub fn quote(mut self, quote: Option<u8>) -> Self {
        self.quote = quote;
        self
    }

    /// The files have no header: their columns are these, and their first line is a record.
    #[must_use]
    pub fn without_header<N: Into<String>>(mut self, columns: impl IntoIterator<Item = N>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Whether files can be written so.
    pub(crate) fn check(&self) -> Result<()> {
        let refused = |message: String| Err(Error::new(ErrorKind::Configuration, message));
        for (what, byte) in [("delimiter", Some(self.delimiter)), ("quote", self.quote)] {
            if let Some(byte) = byte
                && (!byte.is_ascii() || matches!(byte, b'\r' | b'\n' | 0))
            {
                return refused(format!("the {what} can't be {:?}", char::from(byte)));
            }
        }
        if Some(self.delimiter) == self.quote {
            return refused(format!("delimiter and quote are both {:?}", char::from(self.delimiter)));
        }
        let mut seen = HashSet::new();
        for name in self.columns.iter().flatten() {
            if !seen.insert(name) {
                return refused(format!("the column {name:?} is there twice"));
            }
        }
        match self.columns.as_ref().is_some_and(Vec::is_empty) {
            true => refused("files without a header need the names of their columns".into()),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be() {
        let with = Dialect::default;
        assert!(with().check().is_ok());
        assert!(
            with()
                .delimiter(b';')
                .quote(None)
                .without_header(["a", "b"])
                .check()
                .is_ok()
        );
        for refused in [
            with().delimiter(b'\n'),
            with().delimiter(0xa7),
            with().quote(Some(b',')),
            with().without_header(["a", "a"]),
            with().without_header([""; 0]),
        ] {
            assert!(refused.check().is_err(), "{refused:?}");
        }
    }
}
