//! Operator state: what an operator remembers from one batch to the next, and how it goes into a checkpoint.
//!
//! An operator keeps its state in memory and writes, with each batch, the entries that the batch changed. So a checkpoint
//! writes what changed, not what exists.

mod entry;
mod header;
mod layout;
mod operator;
mod timers;

pub(crate) use entry::{Changes, decode_key, decode_value};
pub(crate) use header::Header;
pub(crate) use layout::{check_layout, layout_of};
pub(crate) use operator::{Operator, Output, run};
pub(crate) use timers::Timers;
