//! Sources: where batches come from, and how a source learns what was committed.

use std::future::{Future, ready};

use super::batch::BatchStream;
use super::error::Result;
use super::ledger::Checkpoint;
use super::sink::Commit;
use super::topology::Topology;

/// Where batches come from.
///
/// `source.via(transform)` is a source too, so a chain of operators ends as one source that
/// [`to`](crate::SourceExt::to) hands to a sink.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source",
    label = "a `Source` is wanted here",
    note = "a source is a connector such as `CsvDirSource`, or one with operators behind it; a list of values becomes one by `MemorySource`"
)]
pub trait Source: Send + Sized {
    /// The type of the records that it reads.
    type Item: Send + 'static;

    /// The part of the source that is told about commits; `()` for a source that does not need to know.
    type Ack: Committed;

    /// Adds the source to `topology`, under a name that is the same in every run.
    fn describe(&self, topology: &mut Topology);

    /// Checks what can be checked before anything is read or written, for example whether a directory exists. The default accepts
    /// everything.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the source can't work as it is configured.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Opens the stream of batches, starting after what `from` knows to be durable, and the part that is told about commits.
    ///
    /// A position leaves with or after every record up to it. An idle source sends an empty batch from time to time, so that operators can
    /// tell silence from a stall. The stream ends when the source is exhausted. Dropping it at any point is safe: what was not committed is
    /// read again by the next run.
    fn open(self, from: Checkpoint) -> (impl BatchStream<Self::Item>, Self::Ack);
}

/// The acknowledgement side of a source: it is called after commits, for example to archive a file or to advance the offset of a
/// consumer group.
pub trait Committed: Send {
    /// Everything up to the positions of `commit` is durable.
    ///
    /// It is called for every commit; positions of other sources must be ignored. An error is logged, and the same commit is reported
    /// again later, after others. It never ends the pipeline, because the data are safe.
    fn committed(&mut self, commit: &Commit) -> impl Future<Output = Result<()>> + Send;
}

/// Ignores every commit.
impl Committed for () {
    fn committed(&mut self, _: &Commit) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }
}

/// Reports each commit to both, and returns the first error.
impl<A: Committed, B: Committed> Committed for (A, B) {
    async fn committed(&mut self, commit: &Commit) -> Result<()> {
        let first = self.0.committed(commit).await;
        let second = self.1.committed(commit).await;
        first.and(second)
    }
}
