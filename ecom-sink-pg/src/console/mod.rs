//! Administration while a pipeline runs: its status, its rejects, and retrying records that were
//! corrected.
//!
//! ```text
//! dead letters ──► export ──► rejects.csv ──► corrected by hand ──► retry ──► ecom.events
//!                                                                     └─ still rejected: stays a dead letter
//! ```

mod columns;
mod console;
mod corrected_file;
mod dead_letters;
mod export;
mod resolve;
mod retried;
mod retry;
mod status;

pub use console::Console;
pub use dead_letters::{DeadLetter, DeadLetterFilter};
pub use export::{Exported, ExportedFile};
pub use retried::{Retried, StillRejected};
pub use status::{FileCounts, PipelineRunner, PipelineStatus, RejectCount, Status, UnusableFile};
