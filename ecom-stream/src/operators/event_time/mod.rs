//! Event time: when things happened, as against when they are read, and how far it has come.

mod late;
mod operator;
mod timed;
mod timestamp;
mod watermarks;

pub(crate) use late::emit_or_reject_late;
pub use late::{EmitLate, LatePolicy, RejectLate, WithLate};
pub use operator::EventTime;
pub use timed::{HasEventTime, Timed};
pub use timestamp::Timestamp;
pub(crate) use timestamp::micros;
