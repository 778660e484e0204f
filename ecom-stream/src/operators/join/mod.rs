//! Joins: of two streams within an interval of time, and of a stream with a table that is looked up.

mod buffer;
mod interval;
mod lookup;

pub use interval::{IntervalJoin, Joined};
pub use lookup::LookupJoin;
