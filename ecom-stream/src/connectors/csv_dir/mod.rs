//! A directory of CSV files, as a source and as a sink.
//!
//! # The source
//!
//! [`CsvDirSource`] finds its work by scanning the directory. Notifications of the file system only start a scan early, so a
//! lost notification costs latency and never data. A file takes this way:
//!
//! ```text
//!  Directory ── scan ──► FileEnumerator ──► Inbox ──► FileCandidates ──► resolve ──► read_file ──► batches
//!   (Disk)       ▲        what is new?      ready?    renamed? copied?   which split,  records        │
//!                │                          oldest                       from where?                  ▼
//!          Watch, Notifications             first                                             sink commits
//!                                                                                                     │
//!   archive or deletion ◄── Removal ◄── FileAck ◄─────────────────────────────────────────────────────┘
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `source` | the settings, and the loop that drives everything below |
//! | `directory` | the trait for the file system; `disk` implements it, and `simulation` for tests |
//! | `scan` | which names of a directory are read, and which are skipped and why |
//! | `watch`, `notifications` | collect what inotify reports between two scans |
//! | `enumerator` | compares what a scan finds with the ledger, and hands out the next file |
//! | `inbox` | decides when a file is ready, and in which order files are read |
//! | `candidates` | asks the ledger which known splits a file may be |
//! | `read_again` | asks the ledger which files are read again by another mapping |
//! | `resolve` | compares digests: which split a file is, and where reading resumes |
//! | `file_reader` | reads one file to its end, to damage, or to the point where its writer is |
//! | `consistency`, `traced_file` | make sure that what is read of a file is of one content |
//! | `mark` | the JSON by which a file is recognized later; stored with each position |
//! | `read_files` | what a run remembers of the files that it has read |
//! | `uncommitted` | the positions that the sink has received and not committed |
//! | `unterminated_record` | what becomes of a last record without a line end |
//! | `identity`, `mounts` | what tells the directory from others, whatever names it has |
//! | `after_commit`, `removal` | archive or delete a file once all of it is committed |
//!
//! # The sink
//!
//! [`CsvDirSink`] writes an `open_file`. This is an [`AtomicFile`](crate::AtomicFile): it has a hidden temporary name until it is complete, and is
//! then renamed to one of its [`FileNames`](crate::FileNames).

mod after_commit;
mod candidates;
mod consistency;
mod directory;
mod disk;
mod enumerator;
mod file_reader;
mod identity;
mod inbox;
mod mark;
mod mounts;
mod notifications;
mod open_file;
mod read_again;
mod read_files;
mod removal;
mod resolve;
mod scan;
#[cfg(test)]
mod simulation;
mod sink;
mod source;
mod traced_file;
mod uncommitted;
mod unterminated_record;
mod watch;

pub use after_commit::{AfterCommit, CsvDirAck};
pub use sink::CsvDirSink;
pub use source::CsvDirSource;
pub use unterminated_record::UnterminatedRecord;
