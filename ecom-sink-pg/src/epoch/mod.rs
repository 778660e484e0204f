//! Epochs: the batches that one transaction commits, encoded as rows for COPY.
//!
//! An epoch is filled batch by batch and encoded at once, since encoded rows need less memory
//! than records. It keeps everything until it is committed, so that it can be written again after
//! a failure.
//!
//! ```text
//! Epoch
//!   ├── encoded + rows     events: bytes for COPY, and for each its key, split and origin
//!   ├── left_out           events that are not copied, and why
//!   ├── tables             rows of the user's own tables, likewise
//!   ├── rejects            records that were rejected before they came here
//!   ├── splits             what the epoch does to each split: counts and position
//!   └── state              changes of operator state, the last one of each key
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `epoch` | the data of an epoch, and which rows of it are copied |
//! | `appender` | appends batches to it |
//! | `outcome` | computes its counts and dead letters from what became of the rows |
//! | `row`, `encoded` | the binary format of COPY, and the buffers of encoded rows |
//! | `table_rows` | the rows of one of the user's tables |
//! | `uncommitted_keys` | the keys of rows that are not committed yet |
//! | `limits` | when an epoch is full |

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

pub(crate) use epoch::{DeadLetterRow, Epoch, LeftOut, MAX_DAYS, SplitDelta, kept_bytes, state_bytes};
pub use limits::EpochLimits;
#[cfg(test)]
pub(crate) use row::{COLUMNS, FURTHER_COLUMNS};
pub(crate) use table_rows::TableRows;
pub(crate) use uncommitted_keys::{EventKey, UncommittedKeys};
