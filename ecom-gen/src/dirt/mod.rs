//! What is wrong with a shop's files, on purpose and exactly known.
//!
//! A `row` is faulty, or a whole `file`, as the seed says: whether and how follows from the row or from the number of the
//! file alone. Each fault is in the manifest with what an ingest must make of it.

mod faulty_file;
mod faulty_row;
mod kind;
mod shares;

pub(crate) use self::faulty_file::{missing_column, torn_line, with_open_quote, without_column};
pub(crate) use self::faulty_row::{FaultyRow, write_faulty_row};
pub use self::kind::FaultKind;
pub use self::shares::Dirt;
