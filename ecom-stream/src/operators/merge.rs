//! [`Merge`]: reads two sources as one.

use futures::stream;

use crate::contract::{BatchStream, Checkpoint, Result, Source, Topology};

/// Two sources that are read as one; see [`SourceExt::merge`](crate::SourceExt::merge).
///
/// Both are polled in turns, so that neither can starve the other. Each is told of every commit. The result ends when both have
/// ended. An error of either ends the run.
#[derive(Debug, Clone)]
#[must_use = "a source does nothing until a pipeline from it runs"]
pub struct Merge<A, B>(A, B);

impl<A, B> Merge<A, B> {
    pub(crate) fn new(first: A, second: B) -> Self {
        Self(first, second)
    }
}

impl<A, B> Source for Merge<A, B>
where
    A: Source + 'static,
    B: Source<Item = A::Item> + 'static,
{
    type Item = A::Item;
    type Ack = (A::Ack, B::Ack);

    fn describe(&self, topology: &mut Topology) {
        self.0.describe(topology);
        self.1.describe(topology);
    }

    fn check(&self) -> Result<()> {
        self.0.check()?;
        self.1.check()
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<A::Item>, Self::Ack) {
        let (first, first_ack) = self.0.open(from.clone());
        let (second, second_ack) = self.1.open(from);
        (stream::select(first, second), (first_ack, second_ack))
    }
}
