//! Running a pipeline: the queue between source and sink, commits told to the source, stopping, and progress.

mod activity;
mod lag;
#[cfg(feature = "metrics")]
pub mod metrics;
mod pipeline;
mod progress;
mod query_progress;
mod queue;
mod signal;
mod summary;
mod task;

pub use activity::Activity;
pub use lag::Lag;
pub use pipeline::Pipeline;
pub use progress::{EndedSplits, Progress, ProgressReceiver, RowsPerSecond};
pub use query_progress::QueryProgress;
pub use queue::QueueLimits;
pub use signal::{ABORTED, stop_signal};
pub use summary::Summary;
pub(crate) use task::{AbortOnDrop, operator_panicked, panicked};
