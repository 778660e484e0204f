//! CSV: headers, records, and the reading of one file with a check for every damage that the parser hides.

mod compression;
mod dialect;
mod file_name;
mod header;
mod limits;
mod quotes;
mod read_csv;
mod reader;
mod record;
mod split_path;
mod step;
mod step_builder;
mod tee;
mod to_csv;
mod typed;

pub(crate) use compression::{Compression, Content};
pub use dialect::Dialect;
pub(crate) use file_name::{is_csv, is_hidden, is_temporary, is_to_be_read};
pub(crate) use header::HeaderCheck;
pub use header::{Columns, Header};
pub use limits::CsvLimits;
pub use read_csv::read_csv;
pub(crate) use reader::{CsvReader, HeaderStep, Resume, Unreadable};
pub(crate) use record::CsvRows;
pub use record::{CsvRecord, FieldCountError};
pub(crate) use split_path::{from_path, to_path};
pub(crate) use step::{End, Step};
pub use to_csv::ToCsv;
