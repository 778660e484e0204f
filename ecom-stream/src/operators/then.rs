use std::sync::Arc;

use crate::ledger::Run;
use crate::{BatchStream, Checkpoint, Result, Source, Topology, Transform};

/// A source followed by a transform; see [`SourceExt::then`](crate::SourceExt::then).
#[derive(Debug, Clone)]
#[must_use = "a source does nothing until a pipeline from it runs"]
pub struct Then<S, T> {
    source: S,
    transform: T,
}

impl<S, T> Then<S, T> {
    pub(crate) fn new(source: S, transform: T) -> Self {
        Self { source, transform }
    }
}

impl<S, T> Source for Then<S, T>
where
    S: Source + 'static,
    T: Transform<S::Item>,
{
    type Item = T::Out;
    type Ack = S::Ack;

    fn describe(&self, topology: &mut Topology) {
        self.source.describe(topology);
        self.transform.describe(topology);
    }

    fn check(&self) -> Result<()> {
        self.source.check()
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<T::Out>, S::Ack) {
        let mut topology = Topology::default();
        self.source.describe(&mut topology);
        let sources = topology.sources().iter().map(|source| source.name.clone()).collect();
        let (batches, ack) = self.source.open(from.clone());
        let from = Arc::new(Run {
            is_last: from.is_last_run(),
            ledger: from,
            sources,
        });
        (self.transform.apply(batches, from), ack)
    }
}
