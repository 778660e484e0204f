//! The manifest: what is in each file, which faults it has, and what a correct ingest must do about them.
//!
//! The source counts the rows of a file (`tally`). The sink adds the file to the manifest (`writer`) once it has its
//! final name.

mod entries;
mod statistics;
mod tally;
mod user_set;
mod writer;

pub use self::entries::{Fault, FileEntry, FileState, Manifest, Totals};
pub use self::statistics::{Amount, AmountError, CountByType, ExpectedCounts, FileStatistics};
pub(crate) use self::tally::{CountedFile, RowOutcome, Tally};
pub(crate) use self::writer::{ManifestLengths, ManifestWriter};
