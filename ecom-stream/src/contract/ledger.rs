//! The ledger: what a sink knows to be durable, and therefore where a pipeline starts from.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, BoxStream, StreamExt};

use super::batch::StateChange;
use super::error::Result;
use super::split::{Position, Split};

/// What a sink knows to be durable: positions of splits, and the state of operators.
///
/// A source asks for the positions of the splits that it finds, an operator for its own state. The ledger is never loaded as a
/// whole, so ten million finished files cost nothing at the start.
///
/// A sink of your own implements the three methods without a default. Sources of files also ask
/// [`candidates`](Self::candidates) and [`finished_by_digest`](Self::finished_by_digest), to recognise files that were renamed or
/// copied, and [`nothing_stored`](Self::nothing_stored), to read files again that another mapping had refused.
///
/// ```
/// use ecom_stream::{EmptyLedger, Ledger, Split};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let ledger = EmptyLedger::new("events");
/// assert_eq!(ledger.pipeline(), "events");
/// assert!(ledger.positions(&[Split::new("csv", "a.csv")]).await?.is_empty());
/// # Ok(()) }
/// ```
pub trait Ledger: Send + Sync {
    /// The name of the pipeline that the ledger belongs to.
    fn pipeline(&self) -> &str;

    /// The last known position of each split in `of`, in no particular order; splits that the ledger doesn't know are
    /// left out.
    ///
    /// A split is looked up by source and path: if its content was replaced since, the answer is about its
    /// newest generation.
    fn positions<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Position>>>;

    /// The known splits that a split under a new path may turn out to be: an unfinished one that was renamed, or a finished one that
    /// was copied. `sizes` are the sizes in bytes of the new splits of `source`.
    ///
    /// Only sources of files ask. The default answers that there are none.
    fn candidates<'a>(&'a self, _source: &'a str, _sizes: &'a [u64]) -> BoxFuture<'a, Result<SplitCandidates>> {
        async { Ok(SplitCandidates::default()) }.boxed()
    }

    /// The finished splits of `source` that have one of the sizes and digests in `of`, as their marks give them in `"size"` and
    /// `"digest"`. Of many with the same digest the newest [`MAX_FINISHED_CANDIDATES`] are enough.
    ///
    /// Only sources of files ask. The default answers that there are none.
    fn finished_by_digest<'a>(
        &'a self,
        _source: &'a str,
        _of: &'a [(u64, String)],
    ) -> BoxFuture<'a, Result<Vec<Position>>> {
        async { Ok(Vec::new()) }.boxed()
    }

    /// Those of the splits of which every record was rejected, or filtered out by an operator without state, and of which nothing
    /// is stored or a duplicate, nor was stored since by a retry. A split that was skipped as a copy of such splits alone is one
    /// too. A split of which fewer records are counted than its position has is none: the others were read under the former name
    /// of a file that was renamed, and may be stored.
    ///
    /// Sources of files ask about splits that another mapping has read, and read those in the answer again. A sink that answers
    /// must withdraw the rejects of a split in the commit that makes it [`SplitState::Withdrawn`], or fail if something of it was
    /// stored meanwhile. The default answers that there are none.
    ///
    /// [`SplitState::Withdrawn`]: super::SplitState::Withdrawn
    fn nothing_stored<'a>(&'a self, _of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Split>>> {
        async { Ok(Vec::new()) }.boxed()
    }

    /// Every entry of an operator's state, in no particular order.
    fn state<'a>(&'a self, operator: &'a str) -> BoxStream<'a, Result<StateChange>>;

    /// Whether the run that starts from here is the pipeline's last one: when its input ends, no other run follows. The
    /// [`Pipeline`](crate::Pipeline) sets this, not the sink.
    fn is_last_run(&self) -> bool {
        false
    }

    /// The names of the sources in front of the operator that starts from here, as far as they are known. [`via`] sets this, not the
    /// sink.
    ///
    /// [`via`]: crate::SourceExt::via
    fn sources(&self) -> &[String] {
        &[]
    }
}

/// The largest number of unfinished splits that [`Ledger::candidates`] returns.
pub const MAX_UNFINISHED_CANDIDATES: usize = 256;

/// How many finished splits with the same content [`Ledger::finished_by_digest`] must return, if there are as many.
pub const MAX_FINISHED_CANDIDATES: usize = 16;

/// The answer of [`Ledger::candidates`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SplitCandidates {
    /// Positions of splits that are open or damaged; of many, the newest [`MAX_UNFINISHED_CANDIDATES`].
    pub unfinished: Vec<Position>,
    /// Those of the requested sizes that at least one finished split has as the `"size"` of its mark.
    pub finished_sizes: Vec<u64>,
}

/// Where a pipeline starts from.
pub type Checkpoint = Arc<dyn Ledger>;

/// The ledger of a sink, together with what the pipeline knows about the run.
pub(crate) struct RunLedger {
    pub(crate) ledger: Checkpoint,
    pub(crate) is_last: bool,
    pub(crate) sources: Vec<String>,
}

impl Ledger for RunLedger {
    fn pipeline(&self) -> &str {
        self.ledger.pipeline()
    }

    fn positions<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Position>>> {
        self.ledger.positions(of)
    }

    fn candidates<'a>(&'a self, source: &'a str, sizes: &'a [u64]) -> BoxFuture<'a, Result<SplitCandidates>> {
        self.ledger.candidates(source, sizes)
    }

    fn finished_by_digest<'a>(
        &'a self,
        source: &'a str,
        of: &'a [(u64, String)],
    ) -> BoxFuture<'a, Result<Vec<Position>>> {
        self.ledger.finished_by_digest(source, of)
    }

    fn nothing_stored<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Split>>> {
        self.ledger.nothing_stored(of)
    }

    fn state<'a>(&'a self, operator: &'a str) -> BoxStream<'a, Result<StateChange>> {
        self.ledger.state(operator)
    }

    fn is_last_run(&self) -> bool {
        self.is_last
    }

    fn sources(&self) -> &[String] {
        &self.sources
    }
}

/// The ledger of a sink that remembers nothing: every run starts from the beginning.
#[derive(Debug, Clone)]
pub struct EmptyLedger {
    pipeline: String,
}

impl EmptyLedger {
    /// The empty ledger of the pipeline of that name.
    pub fn new(pipeline: impl Into<String>) -> Self {
        Self {
            pipeline: pipeline.into(),
        }
    }
}

impl Ledger for EmptyLedger {
    fn pipeline(&self) -> &str {
        &self.pipeline
    }

    fn positions<'a>(&'a self, _: &'a [Split]) -> BoxFuture<'a, Result<Vec<Position>>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn state<'a>(&'a self, _: &'a str) -> BoxStream<'a, Result<StateChange>> {
        stream::empty().boxed()
    }
}
