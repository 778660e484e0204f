//! Event time: when things happened, as opposed to when they are read, and the watermark: how far event time has come.
//!
//! ```text
//! T ──► EventTime ──► Timed { value: T, time, watermark } ──► windows, scans, joins
//! ```
//!
//! The watermark is a promise about the future: no record older than it is expected any more. Operators emit and forget by
//! it. A record that breaks the promise is *late*; a [`LatePolicy`] decides whether it is rejected or emitted.
//!
//! - [`EventTime`] is the operator; the private module `watermarks` computes the watermark.
//! - [`Timestamp`] is a point in event time; [`Timed`] a value with its time and the watermark.
//! - [`RejectLate`] and [`EmitLate`] are the two policies for late records.

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
