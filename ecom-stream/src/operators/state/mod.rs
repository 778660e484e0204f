//! Operator state: what an operator remembers from one batch to the next, and how that becomes part of a checkpoint.
//!
//! An operator implements [`Operator`]; [`run`] makes a stream of it. The state is in memory. With each batch the operator
//! writes the entries that the batch changed, so the cost of a batch depends on what changed and not on what exists.
//!
//! ```text
//! start   ledger ──► Operator::load, once for each entry ──► Operator::loaded
//! batch   records ──► Operator::process ──► Output ──┐
//!                     Operator::save ──► Changes ────┴──► one batch: results + state changes + positions
//! end     only in the last run: Operator::end ──► Output, then Operator::save
//! ```
//!
//! - [`entry`]: an entry is a key and a value in the encoding of `postcard`, with the number of its format.
//! - [`operator_entry`]: the one entry that an operator keeps about itself as a whole, such as its watermark.
//! - [`schema_hash`](mod@schema_hash): a hash of the encoded shape of a type, by which state of other types is refused.
//! - [`timers`]: which keys are due at a watermark, found without a look at all keys.
//!
//! Encoded keys, values and formats are stored in databases of users. A change of their shape needs a new
//! [`Operator::FORMAT`]; the names of types and fields are not stored.

mod entry;
mod operator;
mod operator_entry;
mod schema_hash;
mod timers;

pub(crate) use entry::{Changes, decode_key, decode_value};
pub(crate) use operator::{Operator, Output, run};
pub(crate) use operator_entry::OperatorEntry;
pub(crate) use schema_hash::{check_schema, schema_hash};
pub(crate) use timers::Timers;
