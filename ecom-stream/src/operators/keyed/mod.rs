//! What is done key by key.

mod deduplicate;
mod key_by;
mod scan;
mod store;

pub use deduplicate::Deduplicate;
pub use key_by::{KeyBy, KeyedWindows};
pub use scan::Scan;
