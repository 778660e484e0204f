//! Epochs: the batches that one transaction commits, encoded as rows for COPY.

mod adding;
mod encoded;
mod epoch;
mod in_flight;
mod limits;
mod outcome;
mod row;
mod table_rows;
#[cfg(test)]
mod tests;

pub(crate) use epoch::{Epoch, FULL_AT_DAYS, Fate, Letter, Progress, state_bytes};
pub(crate) use in_flight::{InFlight, Key};
pub use limits::EpochLimits;
#[cfg(test)]
pub(crate) use row::COLUMNS;
pub(crate) use table_rows::TableRows;
