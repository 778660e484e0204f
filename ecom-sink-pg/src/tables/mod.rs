//! The tables that a pipeline writes: `ecom.events`, and the user's own tables for rows of any type.

mod add_rows;
mod decimal;
mod ensure;
mod merge;
mod numeric;
mod prepare;
mod spec;
mod table;
mod to_column;
mod writes;

pub(crate) use add_rows::AddRows;
pub(crate) use ensure::ensure_tables;
pub(crate) use prepare::{PreparedTable, prepare_statements};
pub(crate) use spec::CheckedTable;
pub(crate) use writes::Writes;

pub use decimal::Decimal;
pub use merge::Merge;
pub use table::Table;
pub use to_column::ToColumn;
pub use writes::{Events, Tables};
