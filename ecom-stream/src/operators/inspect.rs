//! [`Inspect`]: calls a closure with each batch.

use futures::TryStreamExt;

use crate::contract::{Batch, BatchStream, Checkpoint, Transform};

/// Calls a closure with each batch; see [`SourceExt::inspect`](crate::SourceExt::inspect).
#[derive(Debug, Clone)]
pub struct Inspect<F>(F);

impl<F> Inspect<F> {
    /// Calls `f` with each batch, also with batches that have no records but only positions.
    pub fn new(f: F) -> Self {
        Self(f)
    }
}

impl<F, In> Transform<In> for Inspect<F>
where
    F: FnMut(&Batch<In>) + Send,
    In: Send + 'static,
{
    type Out = In;

    fn apply(mut self, input: impl BatchStream<In> + 'static, _: Checkpoint) -> impl BatchStream<In> {
        input.inspect_ok(move |batch| self.0(batch))
    }
}
