//! The manifest of a shop's files: what is in them, what is wrong with them, and what an ingest must make of both.
//!
//! The source counts a file's rows (`tally`); the sink puts that down in the manifest when the file has its name (`writer`).

mod entries;
mod statistics;
mod tally;
mod user_set;
mod writer;

pub use self::entries::{Fault, FileEntry, FileState, Manifest, Totals};
pub use self::statistics::{Amount, AmountError, CountByType, ExpectedCounts, FileStatistics};
pub(crate) use self::tally::{CountedFile, RowOutcome, Tally};
pub(crate) use self::writer::{ManifestLengths, ManifestWriter};
