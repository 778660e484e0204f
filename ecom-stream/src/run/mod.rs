//! Running a pipeline.
//!
//! A run has three tasks. Reading goes on while the sink writes, up to the limits of the queue:
//!
//! ```text
//!   task 1                         the caller's task                      task 3
//!   source, transforms ──► queue ──► sink.commit ──► commits ──┬──────► ack: the source is told
//!                                                              ├──────► progress, metrics
//!                                                              └──────► activity, for a watchdog
//! ```
//!
//! `pipeline` starts and ends them. It stops a run by ending the stream in front of the sink, which then commits what it has.
//! An error of the source or the sink ends the run; an error of the ack is logged, and the ack is told again.

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
