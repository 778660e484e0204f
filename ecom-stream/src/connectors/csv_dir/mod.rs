//! A directory of CSV files, as a source and as a sink.
//!
//! The source finds its work by scanning: `scan` says what there is, `desk` sorts it, `inbox` decides which file is ready and
//! in what order, `split_file` reads one, `after_commit` and `removal` clean up behind it. what a
//! file is packed in is taken off by `compression`. `identity` tells which split a file is by its `mark` and by what is `alike`. `watch` only wakes the scan with `hints`, so that a lost notification costs
//! latency and never data. All of it asks a `directory`: the `disk`, or in tests a `simulation`. The sink writes an
//! `open_file`, a `atomic_file` under a temporary name, and renames it to one of its `file_name`s.

mod after_commit;
mod alike;
mod atomic_file;
mod desk;
mod directory;
mod disk;
mod file_name;
mod hints;
mod identity;
mod inbox;
mod mark;
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
pub use atomic_file::AtomicFile;
pub use file_name::FileNames;
pub use sink::CsvDirSink;
pub use source::CsvDirSource;
