//! Faults that are put into files on purpose, as the seed decides.
//!
//! Some faults affect a row (`faulty_row`), others a whole file (`faulty_file`). Whether there is a fault, and which,
//! follows from the row or from the number of the file alone. Each fault is listed in the manifest, with what a correct
//! ingest must do about it.

mod faulty_file;
mod faulty_row;
mod kind;
mod shares;

pub(crate) use self::faulty_file::{missing_column, torn_line, with_open_quote, without_column};
pub(crate) use self::faulty_row::{FaultyRow, write_faulty_row};
pub use self::kind::FaultKind;
pub use self::shares::Dirt;
