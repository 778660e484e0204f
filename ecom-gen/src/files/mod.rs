//! The shop's events as CSV files.
//!
//! The rows of a slice are encoded on any thread (`encode`); then `cut` goes through them one after the other and gives the
//! parts of each `file` by the `plan`. The `source` hands them out when they are due, the `sink` writes them and remembers in its
//! `ledger` how far it has come.

mod cut;
mod encode;
mod file;
mod ledger;
mod lost;
mod part;
mod plan;
mod sink;
mod source;
#[cfg(test)]
mod tests;

pub use part::FilePart;
pub use plan::FilePlan;
pub use sink::FilesSink;
pub use source::ShopFiles;
