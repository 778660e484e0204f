//! The schema of the database: brings it up to date, or reports what is wrong with it.
//!
//! ```text
//! apply ──► read the catalogue ──► migrations missing? ──► lock, apply them ──► check tables
//! check ──► read the catalogue ──► migrations missing? ──► error
//! ```
//!
//! The migrations are plain SQL in `sql/migrations`, embedded in the program. They can also be
//! applied with psql: `sql/setup.sql` records them in the same history, and [`script`] is all of it as
//! one text.

mod apply;
mod catalog;
mod compare;
mod error;
mod migrations;
mod tables;

pub(crate) use apply::check_migrations;
pub use apply::{apply, check};
pub use migrations::{script, texts};
