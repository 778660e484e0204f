//! How far the files of a run are handed out: what a run needs to go on.

use serde::{Deserialize, Serialize};

use super::lost_originals::LostOriginals;
use crate::source::EventIndex;

/// Where a file begins, and all that it depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileStart {
    /// Its number.
    pub(super) file: u64,
    /// Its first row, or one after which that comes.
    #[serde(flatten)]
    pub(super) place: EventIndex,
    /// How many events lie before; a copy of one doesn't count.
    pub(super) events: u64,
    /// How often a file was written before.
    pub(super) writes: u64,
    #[serde(default, skip_serializing_if = "LostOriginals::is_empty")]
    pub(super) lost: LostOriginals,
}

/// How far files are handed out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Where to go on: at the file of which the next part is, or at one before that is to be rewritten.
    #[serde(flatten)]
    pub(super) start: FileStart,
    /// The last part that was handed out: what comes again up to it is not to be.
    pub(super) last: PartNumber,
}

/// How many files were handed out whole, and how many parts of the one after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct PartNumber {
    pub(super) files: u64,
    pub(super) parts: u64,
}
