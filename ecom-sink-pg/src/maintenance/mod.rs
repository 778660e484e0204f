//! The upkeep of the table, beside the ingest and without holding it up: the indexes of partitions that rest, the end of old
//! ones, and how new ones are made.

mod layout;
mod maintenance;
mod retain;
mod settle;

pub use layout::{IndexProfile, Layout, PartitionWidth};
pub use maintenance::Maintenance;
pub use retain::{Retained, Retention};
pub use settle::Settled;
