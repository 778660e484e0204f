//! Operators by key: [`KeyBy`] and what follows it.
//!
//! ```text
//! source.event_time(…).key_by(key) ──► KeyBy ─┬─ .scan(…)         ──► Scan
//!                                             ├─ .deduplicate(…)  ──► Deduplicate
//!                                             └─ .tumbling(…) … ──► KeyedWindows ── .aggregate(…) ──► WindowAggregate
//! ```
//!
//! `key_by` has the builders. `scan` and `deduplicate` are operators of their own; both keep a value for each key in `store`,
//! which forgets it when the watermark has passed its time. Windows are in the module `window` beside this one.

mod deduplicate;
mod key_by;
mod scan;
mod store;

pub use deduplicate::Deduplicate;
pub use key_by::{KeyBy, KeyedWindows};
pub use scan::Scan;
