//! The schema of the database: brings it up to date, or says what is wrong with it.

mod apply;
mod catalog;
mod compare;
mod error;
mod migrations;
mod tables;

pub(crate) use apply::check_migrations;
pub use apply::{apply, check};
pub use migrations::texts;
