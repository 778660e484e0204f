//! Joins: of two streams within an interval of event time, and of a stream with a table that is looked up.
//!
//! [`IntervalJoin`] buffers the records of both sides (`buffer`) until the watermark shows that nothing can match them any
//! more. Each record is matched with the buffered records of the other side when it comes, so a pair is found once, by the later
//! of its records. [`LookupJoin`] has no state in the checkpoint, only a cache of answers in memory.

mod buffer;
mod interval;
mod lookup;

pub use interval::{IntervalJoin, Joined};
pub use lookup::LookupJoin;
