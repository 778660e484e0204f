//! The shop's events as CSV files.
//!
//! The rows of a slice are encoded on any thread (`encode`). The `roller` then assigns them to files one after the
//! other, according to the `rolling_policy`, and produces the files in parts. The `source` hands out each part when it
//! is due. The `sink` writes the parts to files, and records in its `ledger` how far it has come.

mod encode;
mod file_text;
mod ledger;
mod lost_originals;
mod open_file;
mod part;
mod progress;
mod roller;
mod rolling_policy;
mod row;
mod settings;
mod sink;
mod source;
#[cfg(test)]
mod tests;

pub use part::FilePart;
pub use rolling_policy::RollingPolicy;
pub use sink::FilesSink;
pub use source::ShopFiles;
