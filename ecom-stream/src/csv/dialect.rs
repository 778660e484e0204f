//! The dialect: how CSV files are delimited and quoted, whether they have a header, and what in them is no record.

use std::collections::HashSet;

use super::charset::Charset;
use crate::contract::{Error, ErrorKind, Result};

/// How CSV files are written: the delimiter, the quote character, and whether the first line names the columns.
///
/// | | default | set by |
/// |---|---|---|
/// | delimiter | `,`; a tab in a file that a source finds as `.tsv` | [`delimiter`](Self::delimiter) |
/// | quote | `"` | [`quote`](Self::quote) |
/// | header | the first line | [`without_header`](Self::without_header) |
/// | escape | none: a quote inside a quoted field is doubled | [`escape`](Self::escape) |
/// | comments | none | [`comment`](Self::comment) |
/// | lines above the header | found by themselves | [`skip_lines`](Self::skip_lines) |
/// | encoding | UTF-8 | `encoding`, with the feature `mapping` |
/// | blanks around values | kept | [`trim`](Self::trim) |
/// | rows with fewer or more fields than the header | rejected | [`fill_short_rows`](Self::fill_short_rows), [`cut_long_rows`](Self::cut_long_rows) |
///
/// A record ends with `\n` or `\r\n`. If the first line of a file ends with `\r`, its records may end with `\r` too. What can't be a
/// dialect, such as a delimiter that is not ASCII, is an error when the pipeline starts or the mapping is built.
///
/// Lines above the header are found by themselves where that is certain: they have fewer fields than the header, and the header has
/// all columns that are required.
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
    pub(crate) escape: Option<u8>,
    pub(crate) comments: Vec<String>,
    /// `None`: lines above the header are found by themselves.
    pub(crate) skip_lines: Option<u32>,
    pub(crate) trim: bool,
    pub(crate) fill_short_rows: bool,
    pub(crate) cut_long_rows: bool,
    /// `None`: UTF-8, unless a file is recognized as another one.
    pub(crate) charset: Option<Charset>,
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
            escape: None,
            comments: Vec::new(),
            skip_lines: None,
            trim: false,
            fill_short_rows: false,
            cut_long_rows: false,
            charset: None,
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

    /// Sets the character that takes away the meaning of a quote inside a quoted field, as in `"27\" monitor"`; it must be an ASCII
    /// character. The character behind it stands for itself. A doubled quote still stands for one.
    ///
    /// ```
    /// # use ecom_stream::Dialect;
    /// let of_spark = Dialect::default().escape(Some(b'\\'));
    /// assert_ne!(of_spark, Dialect::default());
    /// ```
    #[must_use]
    pub fn escape(mut self, escape: Option<u8>) -> Self {
        self.escape = escape;
        self
    }

    /// Adds a text with which lines begin that are no records, such as `#`, or `Total,` for a line of sums at the end. It can be called
    /// several times. Such lines are skipped like blank ones, wherever they are.
    ///
    /// ```
    /// # use ecom_stream::Dialect;
    /// let with_comments = Dialect::default().comment("#").comment("Total,");
    /// assert_ne!(with_comments, Dialect::default());
    /// ```
    #[must_use]
    pub fn comment(mut self, start: impl Into<String>) -> Self {
        self.comments.push(start.into());
        self
    }

    /// Sets the number of lines above the header, or above the first record of files without a header. They are skipped, whatever is in
    /// them.
    #[must_use]
    pub fn skip_lines(mut self, lines: u32) -> Self {
        self.skip_lines = Some(lines);
        self
    }

    /// Sets the encoding of the files, by one of the names that browsers know: `windows-1252`, `latin1`, `utf-16le`, `shift_jis` and so on.
    /// A byte order mark at the start of a file is heeded and left out. Bytes that are no text in it make their record a reject
    /// (`invalid_utf8`).
    ///
    /// Offsets, digests and the bytes of rejects are those of the text in UTF-8.
    ///
    /// ```
    /// # use ecom_stream::Dialect;
    /// let of_excel = Dialect::default().encoding("windows-1252")?;
    /// assert_ne!(of_excel, Dialect::default());
    /// assert!(Dialect::default().encoding("latin-9000").is_err());
    /// # Ok::<(), ecom_stream::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when there is no encoding with that name.
    #[cfg(feature = "mapping")]
    pub fn encoding(mut self, name: &str) -> Result<Self> {
        let Some(charset) = Charset::named(name) else {
            return Err(
                Error::new(ErrorKind::Configuration, format!("there is no encoding {name:?}"))
                    .hint("it is one such as windows-1252, latin1, utf-16le or utf-8"),
            );
        };
        self.charset = Some(charset);
        Ok(self)
    }

    /// Whether blanks around values are removed; `false` by default. Then a quote may also come behind blanks, as in `a, "b, c"`. A value
    /// of blanks only is empty.
    #[must_use]
    pub fn trim(mut self, trim: bool) -> Self {
        self.trim = trim;
        self
    }

    /// Whether a record with fewer fields than the header is filled up with empty ones; `false` by default: it is rejected.
    #[must_use]
    pub fn fill_short_rows(mut self, fill: bool) -> Self {
        self.fill_short_rows = fill;
        self
    }

    /// Whether the fields of a record behind the last column are ignored; `false` by default: the record is rejected.
    #[must_use]
    pub fn cut_long_rows(mut self, cut: bool) -> Self {
        self.cut_long_rows = cut;
        self
    }

    /// The value of a field: without blanks around it, those of Unicode too, if values are trimmed.
    pub(super) fn value<'a>(&self, field: &'a [u8]) -> &'a [u8] {
        match std::str::from_utf8(field) {
            _ if !self.trim => field,
            Ok(text) => text.trim().as_bytes(),
            Err(_) => field.trim_ascii(),
        }
    }

    /// Whether the parser can't read the files as they are, because something must be masked first.
    pub(super) fn needs_mask(&self) -> bool {
        self.trim || !self.comments.is_empty() || self.skip_lines.is_some_and(|lines| lines > 0)
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
    /// [`ErrorKind::Configuration`] when the delimiter, the quote or the escape is not ASCII, is a line end or NUL, or when two of them are
    /// the same; when there is an escape and no quote; when a comment is empty, has a line end or begins with the delimiter or the quote; and
    /// when the columns of files without a header are none, or one is named twice.
    pub(crate) fn check(&self) -> Result<()> {
        let refused = |message: String| Err(Error::new(ErrorKind::Configuration, message));
        let special = [
            ("delimiter", Some(self.delimiter)),
            ("quote", self.quote),
            ("escape", self.escape),
        ];
        for (what, byte) in special {
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
        if let Some(escape) = self.escape {
            if self.quote.is_none() {
                return refused("an escape needs a quote: it has a meaning only inside quoted fields".into());
            }
            if escape == self.delimiter || Some(escape) == self.quote {
                let message = format!("the escape can't be {:?} too: remove it", char::from(escape));
                return refused(message);
            }
        }
        for comment in &self.comments {
            let first = comment.bytes().next();
            if first.is_none() || comment.contains(['\r', '\n']) {
                return refused(format!(
                    "a comment can't begin with {comment:?}: it must be a text without line ends"
                ));
            }
            if first == Some(self.delimiter) || first == self.quote {
                return refused(format!(
                    "a comment can't begin with {comment:?}, because records may begin with the delimiter or the quote"
                ));
            }
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
            with().escape(Some(b'"')),
            with().escape(Some(b'\\')).quote(None),
            with().escape(Some(0xa7)),
            with().comment(""),
            with().comment("\"#"),
            with().comment("#\n"),
        ] {
            assert!(refused.check().is_err(), "{refused:?}");
        }
    }
}
