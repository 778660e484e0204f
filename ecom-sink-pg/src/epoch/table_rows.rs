//! The rows of an epoch for one of the user's own tables.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use ecom_stream::{Origin, Refusal};

use super::encoded::{Encoded, RowSpan};

/// The rows of an epoch for one of the user's own tables.
#[derive(Debug, Default)]
pub(crate) struct TableRows {
    encoded: Encoded,
    pub(super) rows: Vec<TableRow>,
    /// Rows that the server rejects, by their index, and why.
    pub(super) refused: BTreeMap<usize, Refusal>,
}

/// One of these rows: where its bytes are, and where it comes from.
#[derive(Debug)]
pub(super) struct TableRow {
    span: RowSpan,
    pub(super) split: Option<usize>,
    pub(super) origin: Option<Origin>,
}

impl TableRows {
    /// Appends a row, and returns the number of its bytes; or gives the origin back with the
    /// reason if the row cannot be encoded. `encode` gets the index of the row.
    pub(super) fn add(
        &mut self,
        split: Option<usize>,
        origin: Option<Origin>,
        encode: impl FnOnce(usize, &mut Vec<u8>) -> Result<(), Refusal>,
    ) -> Result<usize, (Option<Origin>, Refusal)> {
        let number = self.rows.len();
        match self.encoded.push(|to| encode(number, to)) {
            Ok(span) => {
                self.rows.push(TableRow { span, split, origin });
                Ok(span.len())
            }
            Err(refusal) => Err((origin, refusal)),
        }
    }

    /// Ends the rows, so that they can be read.
    pub(super) fn seal(&mut self) {
        self.encoded.seal();
    }

    /// The number of rows, whether they are copied or not.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many rows of a range are copied.
    pub(crate) fn rows_to_copy(&self, range: Range<usize>) -> u64 {
        (range.len() - self.refused.range(range).count()) as u64
    }

    /// The COPY data of the rows in a range, without those that the server rejects.
    pub(crate) fn pieces(&self, range: Range<usize>) -> impl Iterator<Item = Bytes> {
        if self.refused.is_empty() && range == (0..self.rows.len()) {
            return self.encoded.pieces(None);
        }
        let rows = range.filter(|at| !self.refused.contains_key(at));
        self.encoded.pieces(Some(rows.map(|at| self.rows[at].span).collect()))
    }

    /// The rows that the server rejects, by their index.
    pub(super) fn refused(&self) -> BTreeMap<usize, Refusal> {
        self.refused.clone()
    }

    /// Replaces the rows that the server rejects.
    pub(super) fn set_refused(&mut self, refused: BTreeMap<usize, Refusal>) {
        self.refused = refused;
    }

    /// Leaves a row out of the copy, because the server rejects it.
    pub(crate) fn refuse(&mut self, row: usize, refusal: Refusal) {
        self.refused.insert(row, refusal);
    }
}
