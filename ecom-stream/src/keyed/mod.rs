//! What is done key by key.

mod key_by;

pub use key_by::{KeyBy, KeyedWindows};
