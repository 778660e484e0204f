use bytes::Bytes;

use crate::manifest::CountedFile;

/// Some of the bytes of a file. The parts of a file come one after the other, the last one ends it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FilePart {
    /// The number of the file; the first has number 1.
    pub file: u64,
    /// 1, or 2 for a file that takes the place of the one that has its name.
    pub version: u32,
    /// The bytes.
    pub bytes: Bytes,
    /// How many rows they are; in a second version only those that are not in the first.
    pub rows: u64,
    /// Whether the file ends here.
    pub is_last: bool,
    /// With the end.
    pub(crate) counted: Option<Box<CountedFile>>,
}

impl FilePart {
    /// A file of one part.
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
