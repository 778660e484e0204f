//! The truth about a shop's files: what is in them, what is wrong with them, and what an ingest must make of both.
//!
//! The source counts a file's rows (`tally`); the sink puts that down in the manifest when the file has its name (`log`).

mod log;
mod manifest;
mod sums;
mod tally;
mod users;

pub use self::manifest::{Fault, FileState, FileTruth, Manifest, Total};
pub use self::sums::{Amount, AmountError, ByType, Outcome, Sums};

pub(crate) use self::log::{Lengths, ManifestLog};
pub(crate) use self::tally::{Fate, Tally, TruthOfFile};
