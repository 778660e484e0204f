//! [`Route`]: tags each record as left or right by a predicate.

use futures::TryStreamExt;

use crate::contract::{BatchStream, Checkpoint, Either, Transform};

/// Tags each record as left or right by a predicate; see [`SourceExt::route`](crate::SourceExt::route).
#[derive(Debug, Clone)]
pub struct Route<F>(F);

impl<F> Route<F> {
    /// Records for which `predicate` returns `true` become [`Either::Left`], the others [`Either::Right`].
    pub fn new(predicate: F) -> Self {
        Self(predicate)
    }
}

impl<F, In> Transform<In> for Route<F>
where
    F: FnMut(&In) -> bool + Send,
    In: Send + 'static,
{
    type Out = Either<In, In>;

    fn apply(mut self, input: impl BatchStream<In> + 'static, _: Checkpoint) -> impl BatchStream<Either<In, In>> {
        input.map_ok(move |batch| {
            batch.try_filter_map(|value, _| {
                Ok(Some(match self.0(&value) {
                    true => Either::Left(value),
                    false => Either::Right(value),
                }))
            })
        })
    }
}
