//! [`Via`]: a source followed by a transform.

use std::sync::Arc;

use crate::contract::{BatchStream, Checkpoint, Result, Run, Source, Topology, Transform};

/// A source followed by a transform, which is a source again; see [`SourceExt::via`](crate::SourceExt::via).
///
/// It acknowledges commits as its source does. The transform starts from the same checkpoint as the source; the checkpoint also
/// gives it the names of the sources in front of it.
#[derive(Debug, Clone)]
#[must_use = "a source does nothing until a pipeline from it runs"]
pub struct Via<S, T> {
    source: S,
    transform: T,
}

impl<S, T> Via<S, T> {
    pub(crate) fn new(source: S, transform: T) -> Self {
        Self { source, transform }
    }
}

impl<S, T> Source for Via<S, T>
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
        let sources = match topology.sources() {
            // The source of a branch has none of its own: it has those of the records.
            [] => from.sources().to_vec(),
            sources => sources.iter().map(|source| source.name.clone()).collect(),
        };
        let (batches, ack) = self.source.open(from.clone());
        let from = Arc::new(Run {
            is_last: from.is_last_run(),
            ledger: from,
            sources,
        });
        // Boxed, because a transform that is a generator holds its input twice: a few in a row would fill the stack.
        (self.transform.apply(Box::pin(batches), from), ack)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use crate::connectors::memory::MemorySource;
    use crate::contract::{EmptyLedger, Source};
    use crate::operators::event_time::{Timed, Timestamp};
    use crate::operators::source_ext::SourceExt;

    #[test]
    fn a_long_chain_takes_no_more_stack_than_a_short_one() {
        let numbers = || MemorySource::new("numbers", vec![1_i64]);
        let timed = || numbers().event_time(|n: &i64| Timestamp::from_micros(*n), Duration::ZERO);
        fn scan(source: impl Source<Item = Timed<i64>> + 'static) -> impl Source<Item = Timed<i64>> + 'static {
            source
                .key_by(|n: &i64| *n)
                .scan(Duration::ZERO, || 0, |_: &mut i64, n| Some(n))
        }
        fn open(source: impl Source) -> usize {
            size_of_val(&source.open(Arc::new(EmptyLedger::new("test"))).0)
        }
        let short = open(scan(timed()));
        let long = open(scan(scan(scan(scan(timed())))));
        assert_eq!(short, long);
    }
}
