//! A record of a CSV file: its fields, by name and by index.
//!
//! The fields of all records of a batch are in one text with one list of offsets, so a record costs no allocation of its own. A record
//! is a pair of a shared batch and an index.

use std::sync::Arc;

use super::Header;

/// A record of a CSV file: its fields without quotes, in UTF-8, as many as the header has. Cheap to clone.
///
/// ```
/// use std::sync::Arc;
/// use ecom_stream::{CsvRecord, Header};
///
/// let header = Arc::new(Header::new(["id", "price"]));
/// let record = CsvRecord::new(header, ["7", "9.90"]).unwrap();
/// assert_eq!(record.get("price"), Some("9.90"));
/// assert_eq!(record.field(0), Some("7"));
/// assert_eq!(record.fields().count(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct CsvRecord {
    /// The batch that the record is one of. It stays in memory as long as one of its records does.
    rows: Arc<CsvRows>,
    /// The number of the record in the batch, counted from 0.
    index: u32,
}

/// The fields of all records of a batch, one after the other in one text: one allocation for many records.
///
/// ```text
/// header  a b        text  "xyzq"        ends  1 3 | 3 4
/// records x,yz | "",q
/// ```
#[derive(Debug)]
pub(crate) struct CsvRows {
    header: Arc<Header>,
    text: String,
    /// Where each field ends in `text`. A record has as many entries as the header has names.
    ends: Vec<u32>,
}

/// The error of a record that does not have as many fields as its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{found} fields where the header has {expected}")]
#[non_exhaustive]
pub struct FieldCountError {
    /// The number of fields in the header.
    pub expected: usize,
    /// The number of fields in the record.
    pub found: usize,
}

impl CsvRecord {
    /// A record that was not read from a file, for example in a test.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Header};
    /// let header = Arc::new(Header::new(["id", "price"]));
    /// let err = CsvRecord::new(header, ["7"]).unwrap_err();
    /// assert_eq!((err.expected, err.found), (2, 1));
    /// ```
    ///
    /// # Errors
    ///
    /// [`FieldCountError`] when the number of fields is not that of the header.
    pub fn new<F: AsRef<str>>(
        header: Arc<Header>,
        fields: impl IntoIterator<Item = F>,
    ) -> Result<Self, FieldCountError> {
        let expected = header.names().len();
        let mut rows = CsvRows::new(header);
        for field in fields {
            rows.text.push_str(field.as_ref());
            rows.ends.push(rows.text.len() as u32);
        }
        match rows.ends.len() {
            found if found == expected => Ok(Self {
                rows: Arc::new(rows),
                index: 0,
            }),
            found => Err(FieldCountError { expected, found }),
        }
    }

    /// The header of its file.
    pub fn header(&self) -> &Arc<Header> {
        &self.rows.header
    }

    /// The field in the column with that name; `None` if there is no such column.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.field(self.rows.header.index_of(name)?)
    }

    /// The field at that index, counted from 0.
    pub fn field(&self, index: usize) -> Option<&str> {
        let fields = self.rows.header.names().len();
        if index >= fields {
            return None;
        }
        let at = self.index as usize * fields + index;
        let end = *self.rows.ends.get(at)? as usize;
        let start = match at.checked_sub(1) {
            Some(previous) => self.rows.ends[previous] as usize,
            None => 0,
        };
        self.rows.text.get(start..end)
    }

    /// Whether no field has anything but white space, as in the line `,,,`.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Header};
    /// let header = Arc::new(Header::new(["a", "b"]));
    /// assert!(CsvRecord::new(header.clone(), ["", " "]).unwrap().is_blank());
    /// assert!(!CsvRecord::new(header, ["", "0"]).unwrap().is_blank());
    /// ```
    pub fn is_blank(&self) -> bool {
        let fields = self.rows.header.names().len();
        let first = self.index as usize * fields;
        let end_of = |at: usize| self.rows.ends.get(at).map_or(0, |end| *end as usize);
        let start = first.checked_sub(1).map_or(0, end_of);
        let end = (first + fields).checked_sub(1).map_or(start, end_of);
        let text = self.rows.text.get(start..end).unwrap_or_default();
        text.trim_start().is_empty()
    }

    /// The fields, in the order of the file.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Header};
    /// let record = CsvRecord::new(Arc::new(Header::new(["a", "b"])), ["1", ""]).unwrap();
    /// assert_eq!(record.fields().collect::<Vec<_>>(), ["1", ""]);
    /// ```
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        (0..self.rows.header.names().len()).filter_map(|index| self.field(index))
    }
}

impl CsvRows {
    /// No records yet.
    pub(crate) fn new(header: Arc<Header>) -> Self {
        Self {
            header,
            text: String::new(),
            ends: Vec::new(),
        }
    }

    /// Adds a record. `text` is its fields without anything in between, `ends` where each of them ends in `text`.
    pub(crate) fn push(&mut self, text: &str, ends: impl Iterator<Item = usize>) {
        let base = self.text.len();
        self.text.push_str(text);
        self.ends.extend(ends.map(|end| (base + end) as u32));
    }

    /// The records, in the order in which they were added.
    pub(crate) fn into_records(self) -> impl Iterator<Item = CsvRecord> {
        let fields = self.header.names().len().max(1);
        let count = (self.ends.len() / fields) as u32;
        let rows = Arc::new(self);
        (0..count).map(move |index| CsvRecord {
            rows: rows.clone(),
            index,
        })
    }
}

/// Two records are equal when their column names and their fields are.
impl PartialEq for CsvRecord {
    fn eq(&self, other: &Self) -> bool {
        self.header() == other.header() && self.fields().eq(other.fields())
    }
}

impl Eq for CsvRecord {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name_and_by_index() {
        let header = Arc::new(Header::new(["a", "b"]));
        let record = CsvRecord::new(header.clone(), ["", "é"]).unwrap();
        assert_eq!(
            (record.get("a"), record.get("b"), record.get("c")),
            (Some(""), Some("é"), None)
        );
        assert_eq!(record.field(2), None);
        let err = CsvRecord::new(header, ["only"]).unwrap_err();
        assert_eq!(err.to_string(), "1 fields where the header has 2");
    }

    #[test]
    fn records_of_one_batch_have_their_own_fields() {
        let header = Arc::new(Header::new(["a", "b"]));
        let mut rows = CsvRows::new(header);
        rows.push("xyz", [1, 3].into_iter());
        rows.push("", [0, 0].into_iter());
        rows.push("q", [0, 1].into_iter());
        let all: Vec<Vec<String>> = rows
            .into_records()
            .map(|record| record.fields().map(str::to_owned).collect())
            .collect();
        assert_eq!(all, [["x", "yz"], ["", ""], ["", "q"]]);
    }
}
