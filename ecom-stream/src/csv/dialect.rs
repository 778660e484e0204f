//! The dialect: how CSV files are delimited and quoted, and whether they have a header.

use std::collections::HashSet;

use crate::contract::{Error, ErrorKind, Result};

/// How CSV files are written: the delimiter, the quote character, and whether the first line names the columns.
///
/// | | default | set by |
/// |---|---|---|
/// | delimiter | `,`; a tab in a file that a source finds as `.tsv` | [`delimiter`](Self::delimiter) |
/// | quote | `"` | [`quote`](Self::quote) |
/// | header | the first line | [`without_header`](Self::without_header) |
///
/// A record ends with `\n`, `\r\n` or `\r`. A quote inside a quoted field is doubled. What can't be a dialect, such as a delimiter
/// that is not ASCII, is an error when the pipeline starts or the mapping is built.
///
/// ```
/// use ecom_stream::{Dialect, Field, Mapping};
///
/// let semicolons = Dialect::default().delimiter(b';').quote(None).without_header(["time", "kind", "user", "item"]);
/// let mapping = Mapping::builder()
///     .dialect(semicolons.clone())
///     .field("event_time", Field::column("time"))
///     .field("event_type", Field::column("kind"))
///     .field("user_id", Field::column("user"))
///     .field("session_id", Field::column("user"))
///     .field("product_id", Field::column("item"))
///     .build()?;
/// assert_eq!(mapping.dialect(), &semicolons);
/// # Ok::<(), ecom_stream::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) quote: Option<u8>,
    pub(crate) columns: Option<Vec<String>>,
    /// Whether the delimiter was set, so that the name of a file doesn't change it.
    pub(crate) has_delimiter: bool,
}

impl Default for Dialect {
    /// Commas, double quotes, and a header in the first line.
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            columns: None,
            has_delimiter: false,
        }
    }
}

impl Dialect {
    /// Sets the byte between two fields; it must be an ASCII character.
    ///
    /// ```
    /// # use ecom_stream::Dialect;
    /// let tabs = Dialect::default().delimiter(b'\t');
    /// assert_ne!(tabs, Dialect::default());
    /// ```
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self.has_delimiter = true;
        self
    }

    /// Sets the byte that quotes fields; it must be an ASCII character. With `None`, quotes are ordinary text and a field can't contain the
    /// delimiter or a line end.
    ///
    /// ```
    /// # use ecom_stream::Dialect;
    /// let single_quotes = Dialect::default().quote(Some(b'\''));
    /// let unquoted = Dialect::default().quote(None);
    /// assert_ne!(single_quotes, unquoted);
    /// ```
    #[must_use]
    pub fn quote(mut self, quote: Option<u8>) -> Self {
        self.quote = quote;
        self
    }

    /// For files without a header: `columns` are the names of their columns, and the first line is a record.
    #[must_use]
    pub fn without_header<N: Into<String>>(mut self, columns: impl IntoIterator<Item = N>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// The dialect of a file with that name: in a `.tsv` file a tab is the delimiter, unless another was set. `so_far` is the delimiter
    /// by which its records were read under another name.
    #[cfg(feature = "csv-dir")]
    pub(crate) fn of_file(&self, name: &std::ffi::OsStr, so_far: Option<u8>) -> Self {
        let by_name = match super::file_name::is_tsv(name) {
            true => b'\t',
            false => self.delimiter,
        };
        let so_far = so_far.filter(|delimiter| [b',', b'\t'].contains(delimiter));
        Self {
            delimiter: match self.has_delimiter {
                true => self.delimiter,
                false => so_far.unwrap_or(by_name),
            },
            ..self.clone()
        }
    }

    /// Checks that the dialect is possible.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the delimiter or the quote is not ASCII, is a line end or NUL, or when both are the same; and
    /// when the columns of files without a header are none, or one is named twice.
    pub(crate) fn check(&self) -> Result<()> {
        let refused = |message: String| Err(Error::new(ErrorKind::Configuration, message));
        for (what, byte) in [("delimiter", Some(self.delimiter)), ("quote", self.quote)] {
            if let Some(byte) = byte
                && (!byte.is_ascii() || matches!(byte, b'\r' | b'\n' | 0))
            {
                return refused(format!(
                    "the {what} can't be {:?}: it must be an ASCII character, but no line end and no NUL",
                    char::from(byte)
                ));
            }
        }
        if Some(self.delimiter) == self.quote {
            return refused(format!("delimiter and quote are both {:?}", char::from(self.delimiter)));
        }
        let mut seen = HashSet::new();
        for name in self.columns.iter().flatten() {
            if !seen.insert(name) {
                return refused(format!("the columns of files without a header include {name:?} twice"));
            }
        }
        match self.columns.as_ref().is_some_and(Vec::is_empty) {
            true => refused("the names of the columns are missing: files without a header need them".into()),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_dialect_is_an_error() {
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
