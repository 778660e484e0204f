//! The ledger: what a sink knows to be durable.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, BoxStream, StreamExt};

use super::batch::StateChange;
use super::error::Result;
use super::split::{Position, Split};

/// What a sink knows to be durable: asked once a scan and once an operator, never handed over whole, so a ledger of ten
/// million finished files costs nothing at start.
pub trait Ledger: Send + Sync {
    /// The name of the pipeline that the ledger belongs to.
    fn pipeline(&self) -> &str;

    /// The last known position of each split in `of`, in no particular order; splits that the ledger doesn't know are
    /// left out.
    ///
    /// A split is looked up by source and path: if the path has been given new content since, the answer is about its
    /// newest generation.
    fn positions<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Position>>>;

    /// The splits that one under a new path may turn out to be: a file that was renamed, or a copy of a finished one. `sizes`
    /// are the sizes of such new splits of `source`.
    ///
    /// Only sources of files ask. A ledger that never has any keeps the default, which knows of none.
    fn candidates<'a>(&'a self, _source: &'a str, _sizes: &'a [u64]) -> BoxFuture<'a, Result<SplitCandidates>> {
        async { Ok(SplitCandidates::default()) }.boxed()
    }

    /// The finished splits of `source` that have one of the sizes and digests in `of`, as their marks give them in `"size"` and
    /// `"digest"`. Of many with the same digest the newest [`MAX_FINISHED_CANDIDATES`] are enough.
    ///
    /// Only sources of files ask. A ledger that never has any keeps the default, which knows of none.
    fn finished_by_digest<'a>(
        &'a self,
        _source: &'a str,
        _of: &'a [(u64, String)],
    ) -> BoxFuture<'a, Result<Vec<Position>>> {
        async { Ok(Vec::new()) }.boxed()
    }

    /// Every entry of an operator's state, in no particular order.
    fn state<'a>(&'a self, operator: &'a str) -> BoxStream<'a, Result<StateChange>>;

    /// Whether the run that starts from here is the pipeline's last: when its input ends, nothing follows it, ever. The
    /// [`Pipeline`](crate::Pipeline) says so, not the sink.
    fn is_last_run(&self) -> bool {
        false
    }

    /// The names of the sources in front of the operator that starts from here, as far as they are known: [`via`] says so, not
    /// the sink.
    ///
    /// [`via`]: crate::SourceExt::via
    fn sources(&self) -> &[String] {
        &[]
    }
}

/// How many unfinished splits [`Ledger::candidates`] gives at most.
pub const MAX_UNFINISHED_CANDIDATES: usize = 256;

/// How many finished splits with the same bytes [`Ledger::finished_by_digest`] needs to give.
pub const MAX_FINISHED_CANDIDATES: usize = 16;

/// The answer of [`Ledger::candidates`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SplitCandidates {
    /// Splits that are not finished, or damaged; of many the newest [`MAX_UNFINISHED_CANDIDATES`].
    pub unfinished: Vec<Position>,
    /// Those of the sizes that some finished split gives as the `"size"` of its mark.
    pub finished_sizes: Vec<u64>,
}

/// Where a pipeline starts from.
pub type Checkpoint = Arc<dyn Ledger>;

/// What a ledger knows, and what the pipeline says of the run.
pub(crate) struct Run {
    pub(crate) ledger: Checkpoint,
    pub(crate) is_last: bool,
    pub(crate) sources: Vec<String>,
}

impl Ledger for Run {
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
