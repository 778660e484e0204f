//! [`ParMap`]: turns each record into another, on several batches in parallel.

use std::sync::Arc;

use futures::StreamExt;
use tokio::task::JoinError;

use crate::contract::{BatchStream, Checkpoint, Error, Transform};
use crate::run::{AbortOnDrop, operator_panicked, panicked};

/// Turns each record into another, on several batches in parallel; see [`SourceExt::par_map`](crate::SourceExt::par_map).
#[derive(Debug, Clone)]
pub struct ParMap<F> {
    batches: usize,
    f: F,
}

impl<F> ParMap<F> {
    /// Turns each record into what `f` returns for it, on up to `batches` batches in parallel. 0 is taken as 1.
    ///
    /// Memory holds that many batches besides those of the rest of the pipeline. A run that is dropped aborts their tasks.
    pub fn new(batches: usize, f: F) -> Self {
        Self {
            batches: batches.max(1),
            f,
        }
    }
}

impl<F, In, Out> Transform<In> for ParMap<F>
where
    F: Fn(In) -> Out + Send + Sync + 'static,
    In: Send + 'static,
    Out: Send + 'static,
{
    type Out = Out;

    fn apply(self, input: impl BatchStream<In> + 'static, _: Checkpoint) -> impl BatchStream<Out> {
        let f = Arc::new(self.f);
        let work = input.map(move |batch| {
            let f = f.clone();
            let work = batch.map(|batch| {
                let work = async move { batch.try_filter_map(|value, _| Ok(Some(f(value)))) };
                AbortOnDrop(tokio::spawn(work))
            });
            async move { (&mut work?.0).await.map_err(closure_panicked) }
        });
        work.buffered(self.batches)
    }
}

fn closure_panicked(err: JoinError) -> Error {
    match err.is_panic() {
        true => operator_panicked("ParMap", &*err.into_panic()),
        false => panicked(err),
    }
}

#[cfg(test)]
mod tests {
    use crate::connectors::memory::{MemorySink, MemorySource};
    use crate::contract::ErrorKind;
    use crate::operators::source_ext::SourceExt;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn records_keep_their_order_when_some_take_longer() {
        let sink = MemorySink::new("test");
        let numbers: Vec<u64> = (0..500).collect();
        let slow = |n: u64| {
            std::thread::sleep(std::time::Duration::from_micros(n * 7 % 50));
            n
        };
        let source = MemorySource::new("numbers", numbers.clone()).max_batch_rows(7);
        source.par_map(4, slow).to(sink.clone()).run().await.unwrap();
        assert_eq!(sink.values(), numbers);
    }

    #[tokio::test]
    async fn a_panic_ends_the_pipeline() {
        let source = MemorySource::new("numbers", vec![1, 2, 3]).max_batch_rows(1);
        let fails = |n: i32| assert_ne!(n, 3);
        let sink = MemorySink::new("test");
        let err = source.par_map(2, fails).to(sink.clone()).run().await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Panicked);
        assert!(err.to_string().starts_with("the operator ParMap panicked: "), "{err}");
        assert!(sink.values().len() <= 2);
    }
}
