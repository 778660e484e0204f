//! The place in the input that a record was read from.

use bytes::Bytes;

use super::split::Split;

/// The place in the input that a record was read from. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// The split.
    pub split: Split,
    /// The number of the record in the split; the first has number 1.
    pub record: u64,
    /// The byte offset of the record in the split.
    pub byte_offset: u64,
    /// The record's bytes as they stand there, without the terminator.
    pub raw: Bytes,
}

impl Origin {
    /// The record with that number (the first has number 1) at that byte offset of `split`, with its bytes.
    pub fn new(split: Split, record: u64, byte_offset: u64, raw: impl Into<Bytes>) -> Self {
        Self {
            split,
            record,
            byte_offset,
            raw: raw.into(),
        }
    }
}
