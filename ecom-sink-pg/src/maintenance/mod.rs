//! Maintenance of the events' table beside the ingest: settling, retention, and the layout of new partitions.

mod layout;
mod maintenance;
mod retain;
mod settle;

pub use layout::{IndexProfile, Layout, PartitionWidth};
pub use maintenance::Maintenance;
pub use retain::{Expired, Retention};
pub use settle::Settled;
