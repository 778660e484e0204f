//! What the start of a file says about the rest of it.

use std::sync::Arc;

use super::line_ends::LineEnds;
use super::text_encoding::Text;
use super::{Dialect, Header};

/// What the start of a file says about the rest of it. A reader that goes on in the middle of the file needs it.
#[derive(Debug, Clone)]
pub(crate) struct FileHead {
    /// The dialect. A line such as `sep=;` above the header changes the delimiter.
    pub(crate) dialect: Dialect,
    /// The header that records are checked against.
    pub(crate) header: Arc<Header>,
    pub(super) line_ends: LineEnds,
    pub(super) text: Text,
    /// A bit for each length of a name in the header, so that most records are told from a header at once.
    name_lengths: u64,
}

impl FileHead {
    /// The head of a file of which nothing is known but this.
    pub(super) fn new(dialect: Dialect, header: Arc<Header>) -> Self {
        let mut head = Self {
            dialect,
            header: Arc::new(Header::new([""; 0])),
            line_ends: LineEnds::Any,
            text: Text::Utf8,
            name_lengths: 0,
        };
        head.set_header(header);
        head
    }

    pub(super) fn set_header(&mut self, header: Arc<Header>) {
        self.name_lengths = header.names().iter().fold(0, |bits, name| bits | bit_of(name.len()));
        self.header = header;
    }

    /// Whether a field may be a name in the header, as far as its length tells.
    pub(super) fn may_be_name(&self, field: &[u8]) -> bool {
        self.name_lengths & bit_of(field.len()) != 0
    }
}

fn bit_of(len: usize) -> u64 {
    1 << len.min(63)
}
