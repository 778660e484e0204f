//! Connectors to systems outside: a directory of CSV files, and memory.
//!
//! A connector implements [`Source`](crate::Source), [`Sink`](crate::Sink) or both. `csv_dir` needs nothing but a file system;
//! `memory` is for tests and examples. An `atomic_file` has its name only once it is complete, for any sink of files. The connector to PostgreSQL is the crate `ecom-sink-pg`.

mod atomic_file;
#[cfg(feature = "csv-dir")]
pub(crate) mod csv_dir;
mod file_names;
pub mod memory;
mod rename;

pub use atomic_file::AtomicFile;
pub use file_names::FileNames;
