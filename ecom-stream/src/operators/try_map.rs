//! [`TryMap`]: turns each record into another, or rejects it.

use futures::TryStreamExt;

use crate::contract::{BatchStream, Checkpoint, Refusal, Transform};

/// Turns each record into another or rejects it; see [`SourceExt::try_map`](crate::SourceExt::try_map).
#[derive(Debug, Clone)]
pub struct TryMap<F>(F);

impl<F> TryMap<F> {
    /// Turns each record into what `f` returns for it. An `Err` becomes a reject with that reason.
    pub fn new(f: F) -> Self {
        Self(f)
    }
}

impl<F, In, Out> Transform<In> for TryMap<F>
where
    F: FnMut(In) -> Result<Out, Refusal> + Send,
    In: Send + 'static,
    Out: Send + 'static,
{
    type Out = Out;

    fn apply(mut self, input: impl BatchStream<In> + 'static, _: Checkpoint) -> impl BatchStream<Out> {
        input.map_ok(move |batch| batch.try_filter_map(|value, _| self.0(value).map(Some)))
    }
}
