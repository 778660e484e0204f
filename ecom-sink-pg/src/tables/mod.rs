//! The tables that a pipeline writes: `ecom.events`, and the user's own tables for rows of any
//! type.
//!
//! A record type is connected to its tables by the trait [`Tables`]. The sink never sees the
//! types of columns: a table encodes its rows itself, and hands the bytes to the epoch through
//! [`AddRows`].
//!
//! ```text
//! record ──► Tables::add ──► Table: one encoder per column ──► AddRows ──► Epoch ──► COPY
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `table` | [`Table`]: columns, key, and the encoding of rows |
//! | `writes` | the traits, `ecom.events`, and pairs of tables |
//! | `spec` | a table without its row type, and the SQL that writes it |
//! | `ensure` | creates missing tables and checks the others, at the start |
//! | `prepare` | prepares the statements of a session |
//! | `to_column`, `decimal`, `numeric` | values and their binary format |
//! | `merge` | how columns of rows with the same key are merged |

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
pub(crate) use prepare::{PreparedMerge, PreparedTable, prepare_statements};
pub(crate) use spec::CheckedTable;

pub use decimal::Decimal;
pub use merge::Merge;
pub use table::Table;
pub use to_column::ToColumn;
pub use writes::{Events, Tables};
