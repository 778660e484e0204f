//! The header of a CSV file, and the check that it has the columns that are needed.

use std::collections::HashSet;

use csv_async::ByteRecord;

use super::path_value::{is_in_path, missing_in_path};
use crate::contract::{Reason, Refusal};

/// The column names of a CSV file: those in its first line, or those that the [`Dialect`](crate::Dialect) names.
///
/// ```
/// use ecom_stream::Header;
///
/// let header = Header::new(["id", "price"]);
/// assert_eq!(header.index_of("price"), Some(1));
/// assert_eq!(header.index_of("Price"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    names: Vec<String>,
}

impl Header {
    /// A header with these names, in this order.
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
        }
    }

    /// The names, in the order of the file.
    ///
    /// ```
    /// # use ecom_stream::Header;
    /// assert_eq!(Header::new(["id", "price"]).names(), ["id", "price"]);
    /// ```
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The index of the column with that name, counted from 0. Names are compared exactly.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }
}

/// The columns that a file must have, and those that it may have. They are found by name, in any order.
///
/// A file without a required column is set aside. A column that is not known is read and ignored; a warning names it.
///
/// ```
/// use ecom_stream::{Columns, Header};
///
/// let columns = Columns::new(["id", "price", "note"], ["id", "price"]);
/// assert_eq!(columns.missing_in(&Header::new(["note", "id"])), ["price"]);
/// assert!(Columns::any().missing_in(&Header::new(["anything"])).is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// The columns that are used. Empty means that every column is.
    known: Vec<String>,
    /// The columns without which a file is set aside.
    required: Vec<String>,
    /// The keys and patterns without whose value in its path a file is set aside.
    paths: Vec<String>,
    /// Further columns that are used by their names, and so must not be there twice.
    used: Vec<String>,
}

/// The result of checking a header that can be used.
#[derive(Debug)]
pub(crate) struct HeaderCheck {
    /// The header, with the spaces around its names removed.
    pub(crate) header: Header,
    /// Its columns that are not among the known ones.
    pub(crate) ignored: Vec<String>,
    /// Why the rest of the file may not be read: the start of it is not UTF-8.
    pub(crate) wrong_encoding: Option<Refusal>,
}

impl Columns {
    /// The columns that are `known`, and those of them that are `required`.
    ///
    /// With no known columns at all, every column is accepted and none is reported as ignored; see [`any`](Self::any).
    pub fn new<N: Into<String>>(known: impl IntoIterator<Item = N>, required: impl IntoIterator<Item = N>) -> Self {
        Self {
            known: known.into_iter().map(Into::into).collect(),
            required: required.into_iter().map(Into::into).collect(),
            paths: Vec::new(),
            used: Vec::new(),
        }
    }

    /// The same columns, of which `used` must not be in a header twice.
    pub(crate) fn use_once<'a>(mut self, used: impl IntoIterator<Item = &'a str>) -> Self {
        self.used = used.into_iter().map(str::to_owned).collect();
        self
    }

    /// Whether the column is used by its name. Others may be in a header twice, or have no name.
    fn is_used(&self, name: &String) -> bool {
        self.known.contains(name) || self.required.contains(name) || self.used.contains(name)
    }

    /// The same columns with others `required`.
    pub(crate) fn require<'a>(mut self, required: impl IntoIterator<Item = &'a str>) -> Self {
        self.required = required.into_iter().map(str::to_owned).collect();
        self
    }

    /// The same columns, for files whose path has values for these keys and patterns.
    pub(crate) fn require_in_path<'a>(mut self, keys: impl IntoIterator<Item = &'a str>) -> Self {
        self.paths = keys.into_iter().map(str::to_owned).collect();
        self
    }

    /// Checks that the path of a file has the values that are taken from it.
    pub(crate) fn check_path(&self, path: &str) -> Result<(), Refusal> {
        match self.paths.iter().find(|key| !is_in_path(path, key)) {
            None => Ok(()),
            Some(key) => Err(Refusal::new(Reason::PATH_VALUE_MISSING, missing_in_path(path, key))),
        }
    }

    /// The required columns that are not in `header`, each once.
    pub fn missing_in(&self, header: &Header) -> Vec<&str> {
        let required = self.required.iter().map(String::as_str);
        let mut seen = HashSet::new();
        required
            .filter(|name| header.index_of(name).is_none() && seen.insert(*name))
            .collect()
    }

    /// Any header is accepted: for records that are not events. Such files are never set aside for a missing column; a column that a
    /// record needs is looked up when the record is used, for example by [`CsvRecord::parse`](crate::CsvRecord::parse).
    pub fn any() -> Self {
        Self::default()
    }

    /// Reads a header from the fields of the first line, without the spaces around the names.
    ///
    /// # Errors
    ///
    /// The refusal that sets the file aside:
    ///
    /// | reason | the header |
    /// |---|---|
    /// | `wrong_encoding` | is not UTF-8, or has NUL bytes |
    /// | `column_twice` | has a column that is used by its name twice |
    /// | `wrong_delimiter` | lacks a required column, and its only field contains another delimiter |
    /// | `column_missing` | lacks a required column |
    pub(crate) fn check(&self, fields: &ByteRecord, delimiter: u8) -> Result<HeaderCheck, Refusal> {
        let names: Vec<String> = match fields
            .iter()
            .map(|name| std::str::from_utf8(name).map(str::trim))
            .collect()
        {
            Ok(names) => Vec::<&str>::into_iter(names).map(str::to_owned).collect(),
            Err(_) => {
                return Err(Refusal::new(
                    Reason::WRONG_ENCODING,
                    "the header is not UTF-8: convert the file",
                ));
            }
        };
        if names.iter().any(|name| name.contains('\0')) {
            return Err(Refusal::new(
                Reason::WRONG_ENCODING,
                "the header has NUL bytes: convert the file to UTF-8",
            ));
        }
        let header = Header { names };
        let mut seen = HashSet::new();
        for name in header.names.iter().filter(|name| self.is_used(name)) {
            if !seen.insert(name) {
                return Err(Refusal::new(
                    Reason::COLUMN_TWICE,
                    format!("the header has the column {name:?} twice"),
                ));
            }
        }
        let missing = self.missing_in(&header);
        if !missing.is_empty() {
            if let Some(other) = other_delimiter(&header) {
                let expected = char::from(delimiter);
                let detail =
                    format!("the header is a single field that contains {other:?}, but the delimiter is {expected:?}");
                return Err(Refusal::new(Reason::WRONG_DELIMITER, detail));
            }
            let detail = format!(
                "no column {}; the header has {}",
                missing.join(", "),
                shown(&header.names)
            );
            return Err(Refusal::new(Reason::COLUMN_MISSING, detail));
        }
        let ignored = match self.known.is_empty() {
            true => Vec::new(),
            false => header
                .names
                .iter()
                .filter(|name| !self.known.contains(name))
                .cloned()
                .collect(),
        };
        Ok(HeaderCheck {
            header,
            ignored,
            wrong_encoding: None,
        })
    }
}

/// The names for a message, in which characters are shown that have no sign of their own.
fn shown(names: &[String]) -> String {
    let mut shown = String::new();
    for c in names.join(", ").chars() {
        match c {
            '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{2060}' | '\u{feff}' => {
                shown.extend(c.escape_unicode());
            }
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// The delimiter that the file may have: one of the usual ones, inside the only field of the header.
fn other_delimiter(header: &Header) -> Option<char> {
    match header.names() {
        [only] => [',', ';', '\t', '|']
            .into_iter()
            .find(|delimiter| only.contains(*delimiter)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    fn check(names: &[&str]) -> Result<HeaderCheck, Refusal> {
        Event::columns().check(&ByteRecord::from(names.to_vec()), b',')
    }

    #[test]
    fn columns_may_be_in_any_order_and_unknown_ones_are_listed() {
        let names = [
            "product_id",
            "session_id",
            "colour",
            "user_id",
            "event_type",
            "event_time",
        ];
        let checked = check(&names).unwrap();
        assert_eq!(checked.ignored, ["colour"]);
        assert_eq!(checked.header.index_of("user_id"), Some(3));
    }

    #[test]
    fn a_header_that_cannot_be_used_has_its_reason() {
        let reason = |names: &[&str]| check(names).unwrap_err().reason;
        assert_eq!(reason(&["event_time", "event_type"]), Reason::COLUMN_MISSING);
        assert_eq!(reason(&["event_time;event_type;user_id"]), Reason::WRONG_DELIMITER);
        assert_eq!(reason(&["event_time", "event_time"]), Reason::COLUMN_TWICE);
        assert_eq!(reason(&["e\0v\0"]), Reason::WRONG_ENCODING);
        let latin = Event::columns().check(&ByteRecord::from(vec![b"\xff\xfe".as_slice()]), b',');
        assert_eq!(latin.unwrap_err().reason, Reason::WRONG_ENCODING);
        let marks = check(&["\u{feff}event_time", "user\u{200b}_id", "é"])
            .unwrap_err()
            .detail;
        assert!(
            marks.ends_with("the header has \\u{feff}event_time, user\\u{200b}_id, é"),
            "{marks}"
        );
    }

    #[test]
    fn names_that_nobody_uses_may_be_there_twice_or_be_empty() {
        let required = Event::REQUIRED_COLUMNS;
        let with = |more: &[&'static str]| [&required, more].concat();
        let ignored = |more| check(&with(more)).unwrap().ignored;
        assert_eq!(ignored(&["note", "note"]), ["note", "note"]);
        assert_eq!(ignored(&["", ""]), ["", ""]);
        assert_eq!(
            check(&with(&["brand", "brand"])).unwrap_err().reason,
            Reason::COLUMN_TWICE
        );
        let any = |columns: Columns, names: &[&str]| columns.check(&ByteRecord::from(names.to_vec()), b',').is_ok();
        assert!(any(Columns::any(), &["a", "a"]));
        let kept = Columns::any().require(["a"]).use_once(["a", "b"]);
        assert!(any(kept.clone(), &["a", "b", "c", "c"]));
        assert!(!any(kept, &["a", "b", "b"]));
    }
}
