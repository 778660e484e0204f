//! CSV: headers, records, and the reading of one file with a check for every damage that the parser hides.

mod dialect;
mod gathered;
mod header;
mod limits;
mod quotes;
mod read;
mod reader;
mod record;
mod step;
mod tee;
mod to_csv;
mod typed;

pub use dialect::Dialect;
pub(crate) use header::HeaderCheck;
pub use header::{Columns, Header};
pub use limits::CsvLimits;
pub use read::read_csv;
pub(crate) use reader::{CsvReader, HeaderStep, Resume, Unreadable};
pub(crate) use record::CsvRows;
pub use record::{CsvRecord, FieldCountError};
pub(crate) use step::{End, Step};
pub use to_csv::ToCsv;
