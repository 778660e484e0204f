//! Sources: where batches come from.

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
    /// What it reads.
    type Item: Send + 'static;

    /// What is told after commits.
    type Ack: Committed;

    /// Adds the source, under a name that is the same in every run, to the parts of a pipeline.
    fn describe(&self, topology: &mut Topology);

    /// Checks what can be checked before anything is read or written, such as whether a directory is there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the source can't work like this.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Opens a stream that goes on after what `from` knows to be durable, and what is to be told of commits.
    ///
    /// Positions leave with or after every record up to them. A source that idles sends an empty batch now and then, so
    /// that operators can tell silence from a stall. The stream ends when the source is exhausted. Dropping the stream at
    /// any point is safe: what was not committed is read again by the next run.
    fn open(self, from: Checkpoint) -> (impl BatchStream<Self::Item>, Self::Ack);
}

/// Told after commits, to archive a file, say, or to move the offset of a consumer group.
pub trait Committed: Send {
    /// Everything up to the positions of `commit` is durable.
    ///
    /// Told of every commit. Positions of other sources are to be passed over. An error is logged, and the same commit told
    /// again later, after others; it never ends the pipeline, since the data are safe.
    fn committed(&mut self, commit: &Commit) -> impl Future<Output = Result<()>> + Send;
}

/// Does nothing.
impl Committed for () {
    fn committed(&mut self, _: &Commit) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }
}

/// Tells both.
impl<A: Committed, B: Committed> Committed for (A, B) {
    async fn committed(&mut self, commit: &Commit) -> Result<()> {
        let first = self.0.committed(commit).await;
        let second = self.1.committed(commit).await;
        first.and(second)
    }
}
