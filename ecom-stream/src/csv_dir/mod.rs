//! A directory of CSV files, as a source and as a sink.
//!
//! The source finds its work by scanning: `scan` looks at the directory, `desk` sorts what was found, `inbox` decides which
//! file is ready and in what order, `split_file` reads one, `after_commit` cleans up behind it. `watch` only wakes the scan, so that a lost
//! notification costs latency and never data. `mark` is how a file is known again. The sink writes an `open_file` under a
//! temporary name and renames it to one of its `file_name`s.

mod after_commit;
mod alike;
mod desk;
mod directory;
mod disk;
mod file_name;
mod identity;
mod inbox;
mod mark;
mod name;
mod open_file;
mod removal;
mod rename;
mod scan;
#[cfg(test)]
mod simulation;
mod sink;
mod source;
mod split_file;
mod uncommitted;
mod watch;

pub use after_commit::{AfterCommit, CsvDirAck};
pub use sink::CsvDirSink;
pub use source::CsvDirSource;
