//! CSV: reading one file, record by record, with a check for every kind of damage that the parser hides.
//!
//! ```text
//!  file ─► compression ─► tee ─► csv_async parser ─► reader ─► step_builder ─► Step
//!          (Content)      keeps   fields, unquoted    quotes,     origins,       records, rejects,
//!                         bytes                       limits      original bytes why it ended
//! ```
//!
//! - `reader` drives it: it reads the header (`header`), then a `step` of at most one batch at a time.
//! - `tee` keeps the bytes behind the parser, so rejects have their original bytes and `quotes` can be checked again.
//! - `record` holds the fields of a batch in one allocation; `typed` reads a field as a value.
//! - `prefix_digest` tells what was read from other content: all of it, or a part near the place where reading is.
//! - `dialect` and `limits` are the settings. `file_name` and `name_patterns` say which files are read, `split_path` what their splits are
//!   called, `path_value` which values their names have.
//! - `read_csv` is the short way for one text. `to_csv` is the other direction, for sinks that write files.

#[cfg(feature = "csv-dir")]
mod compression;
mod dialect;
#[cfg(feature = "csv-dir")]
mod file_name;
mod header;
mod limits;
#[cfg(feature = "csv-dir")]
mod name_patterns;
mod path_value;
mod prefix_digest;
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

#[cfg(feature = "csv-dir")]
pub(crate) use compression::{Compression, Content};
pub use dialect::Dialect;
#[cfg(feature = "csv-dir")]
pub(crate) use file_name::{is_hidden, is_numbered_csv, is_temporary, is_to_be_read};
pub(crate) use header::HeaderCheck;
pub use header::{Columns, Header};
pub use limits::CsvLimits;
#[cfg(feature = "csv-dir")]
pub use name_patterns::NamePatterns;
pub(crate) use path_value::{check_path_key, value_in_path};
#[cfg(feature = "csv-dir")]
pub(crate) use prefix_digest::BLOCK;
pub(crate) use prefix_digest::{Checkpoint, PrefixDigest};
pub use read_csv::read_csv;
pub(crate) use reader::{CsvReader, HeaderStep, Resume, Unreadable};
pub(crate) use record::CsvRows;
pub use record::{CsvRecord, FieldCountError};
pub(crate) use split_path::{from_path, to_path};
pub(crate) use step::{End, Step};
pub use to_csv::ToCsv;
