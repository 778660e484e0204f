//! Running a pipeline: the queue between source and sink, commits told to the source, stopping, and progress.

mod activity;
#[cfg(feature = "metrics")]
pub mod metrics;
mod pipeline;
mod progress;
mod query_progress;
mod queue;
mod signal;
mod task;

pub use activity::Activity;
pub use pipeline::{Pipeline, Summary};
pub use progress::{EndedSplits, Lag, Progress, ProgressReceiver, RowsPerSecond};
pub use query_progress::QueryProgress;
pub use queue::QueueLimits;
pub use signal::{ABORTED, stop_signal};
pub(crate) use task::{AbortOnDrop, panicked};
