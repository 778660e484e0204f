//! CSV: reading one file, record by record, with a check for every kind of damage that the parser hides.
//!
//! ```text
//!  file ─► compression ─► tee ─► csv_async parser ─► reader ─► step_builder ─► Step
//!          (Content)      keeps   fields, unquoted    quotes,     origins,       records, rejects,
//!                         bytes                       limits      original bytes why it ended
//! ```
//!
//! - `reader` drives it: it reads the header (`header`), then a `step` of at most one batch at a time. `resume` says where it goes on, and
//!   `head` what must be known of the start of the file for that.
//! - `text_encoding` finds out whether a file is UTF-8, `line_ends` which line ends are those of records, and `header_lines` which lines
//!   among the records are headers. `damage` is what will not pass.
//! - `mask` hides from the parser what it can't read: comments, lines above the header, blanks in front of quotes.
//! - `tee` keeps the bytes behind the parser, so rejects have their original bytes and `quotes` can be checked again.
//! - `record` holds the fields of a batch in one allocation; `typed` reads a field as a value.
//! - `prefix_digest` tells what was read from other content: all of it, or a part near the place where reading is.
//! - `charset` converts other encodings to UTF-8, below everything else: offsets and digests are those of the converted text.
//! - `dialect` and `limits` are the settings. `file_name` and `name_patterns` say which files are read, `split_path` what their splits are
//!   called, `path_value` which values their names have.
//! - `read_csv` is the short way for one text, and `in_memory` takes texts apart that are small. `to_csv` is the other direction, for sinks that write files.

mod charset;
#[cfg(feature = "csv-dir")]
mod compression;
mod damage;
mod dialect;
#[cfg(feature = "csv-dir")]
mod file_name;
mod head;
mod header;
mod header_lines;
mod in_memory;
mod limits;
mod line_ends;
mod mask;
#[cfg(feature = "csv-dir")]
mod name_patterns;
mod path_value;
mod prefix_digest;
mod quotes;
mod read_csv;
mod reader;
mod record;
mod resume;
mod split_path;
mod step;
mod step_builder;
mod tee;
mod text_encoding;
mod to_csv;
mod typed;

pub(crate) use charset::Charset;
#[cfg(feature = "csv-dir")]
pub(crate) use compression::{Compression, Content, FileForm};
pub(crate) use damage::Unreadable;
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
pub(crate) use reader::CsvReader;
pub(crate) use record::CsvRows;
pub use record::{CsvRecord, FieldCountError};
pub(crate) use resume::Resume;
pub(crate) use split_path::{from_path, to_path};
pub(crate) use step::{End, HeaderStep, Step};
#[cfg(all(feature = "csv-dir", feature = "mapping"))]
pub(crate) use text_encoding::Encoding;
pub use to_csv::ToCsv;
