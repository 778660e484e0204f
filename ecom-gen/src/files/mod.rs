//! The shop's events as CSV files.
//!
//! The rows of a slice are encoded on any thread (`encode`); then `cut` goes through them one after the other and gives the
//! parts of each `file` by the `plan`. The `source` hands them out when they are due, the `sink` writes them and remembers in its
//! `ledger` how far it has come.

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
