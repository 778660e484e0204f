//! Operator state: what an operator remembers from one batch to the next, and how it goes into a checkpoint.
//!
//! An operator keeps its state in memory and writes, with each batch, the entries that the batch changed. So a checkpoint
//! writes what changed, not what exists.

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
