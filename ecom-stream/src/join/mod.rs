//! Joins: of two streams within an interval of time, and of a stream with a table that is looked up.

mod held;
mod interval;

pub use interval::{IntervalJoin, Joined};
