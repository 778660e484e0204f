//! [`Filter`]: keeps the records for which a predicate holds.

use futures::TryStreamExt;

use crate::contract::{BatchStream, Checkpoint, Transform};

/// Keeps the records for which a predicate holds, and counts the others as filtered; see
/// [`SourceExt::filter`](crate::SourceExt::filter).
#[derive(Debug, Clone)]
pub struct Filter<F>(F);

impl<F> Filter<F> {
    /// Keeps the records for which `predicate` returns `true`.
    pub fn new(predicate: F) -> Self {
        Self(predicate)
    }
}

impl<F, In> Transform<In> for Filter<F>
where
    F: FnMut(&In) -> bool + Send,
    In: Send + 'static,
{
    type Out = In;

    fn apply(mut self, input: impl BatchStream<In> + 'static, _: Checkpoint) -> impl BatchStream<In> {
        input.map_ok(move |batch| batch.try_filter_map(|value, _| Ok(self.0(&value).then_some(value))))
    }
}
