//! The place from which a reader goes on.

use super::prefix_digest::PrefixDigest;

/// The place from which a reader goes on.
#[derive(Debug, Clone)]
pub(crate) struct Resume {
    /// The offset of the next record.
    pub(crate) offset: u64,
    /// The number of the last record before.
    pub(crate) record: u64,
    /// The digest of everything before.
    pub(crate) digest: PrefixDigest,
    /// Whether a record terminator ends right before `offset`.
    pub(crate) behind_terminator: bool,
}

impl Resume {
    /// The start of a split.
    pub(super) fn at_start() -> Self {
        Self {
            offset: 0,
            record: 0,
            digest: PrefixDigest::default(),
            behind_terminator: false,
        }
    }

    /// The offset at which the input must be when the reader is made.
    ///
    /// Behind a terminator this is one byte before `offset`: the parser sees the last byte of the terminator again, as a blank line.
    /// At its very start it would remove a byte order mark, which in the middle of a file belongs to a field.
    pub(crate) fn seek_to(&self) -> u64 {
        self.offset - u64::from(self.behind_terminator && self.offset > 0)
    }
}
