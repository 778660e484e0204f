//! A part of a file.

use bytes::Bytes;

use crate::manifest::CountedFile;

/// Some of the bytes of a file. The parts of a file come one after the other, and the last one ends the file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FilePart {
    /// The number of the file; the first one is 1.
    pub file: u64,
    /// The version: 1, or 2 for a file that replaces the first version under the same name.
    pub version: u32,
    /// The bytes.
    pub bytes: Bytes,
    /// The number of rows in it; in a second version, the number of rows that the first version lacks.
    pub rows: u64,
    /// Whether the file ends with this part.
    pub is_last: bool,
    /// The manifest entry of the file, with its last part.
    pub(crate) counted: Option<Box<CountedFile>>,
}

impl FilePart {
    /// A file that consists of a single part.
    pub fn whole(file: u64, bytes: impl Into<Bytes>, rows: u64) -> Self {
        Self {
            file,
            version: 1,
            bytes: bytes.into(),
            rows,
            is_last: true,
            counted: None,
        }
    }
}
