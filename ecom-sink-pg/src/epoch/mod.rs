//! Epochs: the batches that one transaction commits, encoded as rows for COPY.

mod appender;
mod encoded;
mod epoch;
mod limits;
mod outcome;
mod row;
mod table_rows;
#[cfg(test)]
mod tests;
mod uncommitted_keys;

pub(crate) use epoch::{DeadLetterRow, Epoch, LeftOut, MAX_DAYS, SplitDelta, state_bytes};
pub use limits::EpochLimits;
#[cfg(test)]
pub(crate) use row::COLUMNS;
pub(crate) use table_rows::TableRows;
pub(crate) use uncommitted_keys::{EventKey, UncommittedKeys};
