//! Maintenance of `ecom.events` while a pipeline runs: index building, retention, and the layout of
//! new partitions.
//!
//! A partition goes through these states:
//!
//! ```text
//! created by the ingest ──► receives rows, with few indexes
//!         └──► its time is over ──► settle: all indexes are built
//!                                         └──► older than the retention ──► detached and dropped
//! ```
//!
//! Nothing here blocks the ingest: indexes are built and partitions are detached `CONCURRENTLY`.

mod layout;
mod maintenance;
mod prune;
mod retain;
mod settle;

pub use layout::{IndexProfile, Layout, PartitionWidth};
pub use maintenance::Maintenance;
pub use retain::{Expired, Retention};
pub use settle::Settled;
