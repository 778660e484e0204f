//! Connectors to systems outside: a directory of CSV files, and memory.
//!
//! A connector implements [`Source`](crate::Source), [`Sink`](crate::Sink) or both. `csv_dir` needs nothing but a file system;
//! `memory` is for tests and examples. The connector to PostgreSQL is the crate `ecom-sink-pg`.

pub(crate) mod csv_dir;
pub mod memory;
