//! What an operator asks and does beside the ingest: how it goes, what was refused, and putting in again what was mended.

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
