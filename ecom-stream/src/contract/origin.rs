//! The origin of a record: the place in the input that it was read from.

use bytes::Bytes;

use super::split::Split;

/// The place in the input that a record was read from. Cheap to clone.
///
/// ```
/// # use futures::TryStreamExt;
/// use ecom_stream::{Columns, Split, read_csv};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let batches: Vec<_> = read_csv(b"id\n1\n2\n".as_slice(), Split::new("csv", "a"), Columns::any()).try_collect().await?;
/// let origin = batches[0].records[1].origin.as_ref().unwrap();
/// assert_eq!((origin.record, origin.byte_offset, &origin.raw[..]), (2, 5, &b"2"[..]));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// The split that the record is in.
    pub split: Split,
    /// The number of the record in the split, counted from 1.
    pub record: u64,
    /// The byte offset of the record in the split.
    pub byte_offset: u64,
    /// The bytes of the record as they are in the input, without the record terminator.
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
