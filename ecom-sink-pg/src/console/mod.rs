//! What an operator needs besides the ingest: status, rejects, and retrying records that were corrected.

mod columns;
mod console;
mod export;
mod letters;
mod mended_file;
mod retried;
mod retry;
mod status;

pub use console::Console;
pub use export::{Exported, ExportedFile};
pub use letters::{Letter, LetterFilter};
pub use retried::{Refused, Retried};
pub use status::{Files, Instance, PipelineStatus, RefusedFor, Status, UnusableFile};
