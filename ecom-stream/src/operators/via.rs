//! [`Via`]: a source followed by a transform.

use std::any::type_name;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::StreamExt;

use crate::contract::{BatchStream, Checkpoint, Result, RunLedger, Source, Topology, Transform};
use crate::run::operator_panicked;

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
        let from = Arc::new(RunLedger {
            is_last: from.is_last_run(),
            ledger: from,
            sources,
        });
        // Boxed, because a transform that is a generator holds its input twice: a few in a row would fill the stack.
        let out = AssertUnwindSafe(self.transform.apply(Box::pin(batches), from)).catch_unwind();
        // Nothing of the transform is used after a panic: the stream ends with the error.
        let out = out.map(|batch| batch.unwrap_or_else(|panic| Err(operator_panicked(&name_of::<T>(), &*panic))));
        (out, ack)
    }
}

/// The name of an operator, with those of the closures in it but without their modules:
/// `Map<my_shop::main::{{closure}}>`.
fn name_of<T>() -> String {
    let name = type_name::<T>();
    let (path, parameters) = name
        .split_once('<')
        .map_or((name, None), |(path, rest)| (path, Some(rest)));
    let name = path.rsplit("::").next().unwrap_or(path);
    match parameters {
        Some(parameters) => format!("{name}<{parameters}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use crate::connectors::memory::{MemorySink, MemorySource};
    use crate::contract::{EmptyLedger, ErrorKind, Source};
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

    #[tokio::test]
    async fn a_panic_in_a_closure_is_told_with_its_operator() {
        let sink = MemorySink::new("test");
        let source = MemorySource::new("numbers", vec![4, 2, 0]).max_batch_rows(1);
        let err = source
            .filter(|n: &i32| *n < 9)
            .map(|n: i32| 8 / n)
            .inspect(|_| {})
            .to(sink.clone())
            .run()
            .await
            .unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Panicked);
        let message = err.to_string();
        assert!(
            message.starts_with("the operator Map<ecom_stream::operators::via::tests::"),
            "{message}"
        );
        assert!(
            message.contains("> panicked: attempt to divide by zero (look at the closure"),
            "{message}"
        );
        assert!(!err.report().contains("bug"), "{}", err.report());
        assert!(
            sink.values().len() <= 2,
            "what came before may be committed, and nothing behind it"
        );
    }
}
