//! Maintenance of `ecom.events` while a pipeline runs: index building, retention, the layout of new
//! partitions, and the merging of old ones.
//!
//! A partition goes through these states:
//!
//! ```text
//! created by the ingest ──► receives rows, with few indexes
//!         └──► its time is over ──► settle: all indexes are built
//!                                         ├──► no longer recent ──► layout: merged into a wider one
//!                                         └──► older than the retention ──► detached and dropped
//! ```
//!
//! Nothing here blocks the ingest: indexes are built and partitions are detached `CONCURRENTLY`.

mod layout;
mod maintenance;
mod merge;
mod prune;
mod retain;
mod settle;
mod short_step;

pub use layout::{IndexProfile, Layout, PartitionWidth};
pub use maintenance::Maintenance;
pub use merge::Merged;
pub use retain::{Expired, Retention};
pub use settle::Settled;
