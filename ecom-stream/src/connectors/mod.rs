//! Where records come from and go to without a database: a directory of CSV files, and memory.

pub(crate) mod csv_dir;
pub mod memory;
