//! The summary of a run.

use crate::contract::Counts;

/// The totals of a run, which [`Pipeline::run`](crate::Pipeline::run) returns.
///
/// Counts cover what is committed, so that read = stored + duplicates + rejected + filtered.
///
/// ```
/// use ecom_stream::SourceExt;
/// use ecom_stream::memory::{MemorySink, MemorySource};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let odd = MemorySource::new("numbers", vec![1, 2, 3]).filter(|n| n % 2 == 1);
/// let summary = odd.to(MemorySink::new("doc")).run().await?;
/// assert_eq!((summary.counts.read, summary.counts.stored, summary.counts.filtered), (3, 2, 1));
/// assert!(summary.counts.is_balanced() && !summary.stopped);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The number of epochs that were committed.
    pub epochs: u64,
    /// How many records were read, stored, duplicates, rejected and filtered.
    pub counts: Counts,
    /// Whether the run was stopped. If not, the source was exhausted.
    pub stopped: bool,
}
