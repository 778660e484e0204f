//! [`Map`]: turns each record into another.

use futures::TryStreamExt;

use crate::contract::{BatchStream, Checkpoint, Transform};

/// Turns each record into another; see [`SourceExt::map`](crate::SourceExt::map).
#[derive(Debug, Clone)]
pub struct Map<F>(F);

impl<F> Map<F> {
    /// Turns each record into what `f` returns for it.
    pub fn new(f: F) -> Self {
        Self(f)
    }
}

impl<F, In, Out> Transform<In> for Map<F>
where
    F: FnMut(In) -> Out + Send,
    In: Send + 'static,
    Out: Send + 'static,
{
    type Out = Out;

    fn apply(mut self, input: impl BatchStream<In> + 'static, _: Checkpoint) -> impl BatchStream<Out> {
        input.map_ok(move |batch| batch.try_filter_map(|value, _| Ok(Some(self.0(value)))))
    }
}
