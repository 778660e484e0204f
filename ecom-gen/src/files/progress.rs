//! How far the files of a run have been handed out: where the next run resumes.

use serde::{Deserialize, Serialize};

use super::lost_originals::LostOriginals;
use crate::source::EventPosition;

/// The start of a file, with everything that its content depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileStart {
    /// The number of the file.
    pub(super) file: u64,
    /// Its first row, or a row before that.
    #[serde(flatten)]
    pub(super) first_row: EventPosition,
    /// The number of events before it, without copies.
    pub(super) events: u64,
    /// How many files were written before it; a rewritten file counts twice.
    pub(super) writes: u64,
    #[serde(default, skip_serializing_if = "LostOriginals::is_empty")]
    pub(super) lost: LostOriginals,
}

/// How far files have been handed out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Where to resume: at the file to which the next part belongs, or at the one before, if that is still to be
    /// rewritten.
    #[serde(flatten)]
    pub(super) start: FileStart,
    /// The last part that was handed out. Parts up to it are skipped on resuming.
    pub(super) last: PartNumber,
}

/// The number of files that were handed out completely, and of parts of the file after them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct PartNumber {
    pub(super) files: u64,
    pub(super) parts: u64,
}
