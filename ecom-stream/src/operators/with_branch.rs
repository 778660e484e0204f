//! [`WithBranch`]: passes records on, and adds what a chain of operators makes of them, in the same batches.
//!
//! ```text
//!            ┌──────────── pending: a copy of each batch's records ───────────┐
//! input ──► BranchInput                                                     merge ──► Left(record) …, Right(result) …
//!            └──► batch, tagged with its number ──► chain ──► batch, tag ─────┘
//! ```
//!
//! The chain is a pipeline of its own, built from a [`BranchSource`]. Its transforms see the batches of the input, with state
//! changes and positions, and pass these on as the contract demands. The only thing added is the tag: a state change of the
//! operator [`BRANCH_TAG`] whose key is the number of the batch. A transform may buffer batches or merge them, but keeps their
//! order; the tags that come out of the chain therefore tell which pending batches belong to the result. Tags are removed
//! there and never reach a sink.

use std::collections::VecDeque;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_stream::try_stream;
use futures::{Stream, StreamExt};

use crate::contract::{
    Batch, BatchStream, Checkpoint, Either, Error, ErrorKind, Record, Result, Source, SplitCount, StateChange,
    Topology, Transform,
};

/// Passes records on, and adds what a chain of operators makes of them; see
/// [`SourceExt::with_branch`](crate::SourceExt::with_branch).
///
/// Records ([`Either::Left`]) and results of the chain ([`Either::Right`]) leave in one batch, with the position that covers the
/// records. So a sink commits both or none.
///
/// - **Order.** Records keep their order, and so do results. How the two interleave depends on the batches.
/// - **Counts.** Only the records count. What the chain filters out is not counted as filtered, because the record itself goes
///   on. What the chain makes has no origin.
/// - **Rejects.** A record that the chain rejects, say because it is late, is stored as well as rejected. The counts then do not
///   balance: *stored + rejected* is more than *read*.
/// - **Memory.** A copy of each batch is held while the batch is in the chain.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] if the chain ends before its input, or keeps a batch for itself: then the records of that batch
/// would never leave.
#[derive(Debug)]
pub struct WithBranch<S, In> {
    chain: S,
    shared: Arc<Shared<In>>,
}

/// The source of the chain in [`WithBranch`]: it gives the chain the same records that are passed on.
///
/// ```
/// use ecom_stream::memory::{MemorySink, MemorySource};
/// use ecom_stream::operators::BranchSource;
/// use ecom_stream::{Either, Source, SourceExt};
///
/// /// A chain as a function of its own.
/// fn squares(numbers: BranchSource<i64>) -> impl Source<Item = i64, Ack = ()> + 'static {
///     numbers.map(|n| n * n)
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let sink = MemorySink::new("doc");
/// MemorySource::new("numbers", vec![3]).with_branch(squares).to(sink.clone()).run().await?;
/// assert_eq!(sink.values(), [Either::Left(3), Either::Right(9)]);
/// # Ok(()) }
/// ```
pub struct BranchSource<In>(Arc<Shared<In>>);

/// What the operator and the source of its chain share. The lock is never held across an `.await`.
struct Shared<In> {
    state: Mutex<State<In>>,
    /// The name in the tags of this branch. It is recognized by its pointer, because a chain may contain another branch.
    tag: Arc<str>,
}

type Input<In> = Pin<Box<dyn Stream<Item = Result<Batch<In>>> + Send>>;

struct State<In> {
    /// The batches that come in, from the time the operator is applied until they end.
    input: Option<Input<In>>,
    /// The number of batches that have come in.
    batches: u64,
    /// The batches that are in the chain, from the oldest.
    pending: VecDeque<PendingBatch<In>>,
}

/// What is passed on of a batch once the chain is done with it.
struct PendingBatch<In> {
    /// The number in its tag.
    number: u64,
    records: Vec<Record<In>>,
    counts: Vec<SplitCount>,
}

/// The operator name of the state change by which each batch carries its number through the chain. A transform passes state
/// changes of other operators on unchanged, in the batch that they came in.
const BRANCH_TAG: &str = "\0branch";

impl<S, In> WithBranch<S, In> {
    /// Adds the results of the chain that `build` makes of the source it is given.
    pub fn new(build: impl FnOnce(BranchSource<In>) -> S) -> Self {
        let state = State {
            input: None,
            batches: 0,
            pending: VecDeque::new(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            tag: BRANCH_TAG.into(),
        });
        Self {
            chain: build(BranchSource(shared.clone())),
            shared,
        }
    }
}

impl<S, In> Transform<In> for WithBranch<S, In>
where
    S: Source<Ack = ()> + 'static,
    In: Clone + Send + 'static,
{
    type Out = Either<In, S::Item>;

    fn describe(&self, topology: &mut Topology) {
        self.chain.describe(topology);
    }

    fn apply(self, input: impl BatchStream<In> + 'static, from: Checkpoint) -> impl BatchStream<Self::Out> {
        try_stream! {
            let Self { chain, shared } = self;
            chain.check()?;
            shared.lock().input = Some(Box::pin(input));
            let (made, ()) = chain.open(from);
            let mut made = pin!(made);
            while let Some(made) = made.next().await {
                let mut made = made?;
                let pending = shared.lock().take_pending(&shared.tag, &mut made);
                yield merge(pending, made);
            }
            if !shared.lock().pending.is_empty() {
                let message = "the chain of `with_branch` ended before its input";
                Err(Error::new(ErrorKind::Configuration, message)
                    .hint("a transform in it stops early or keeps batches. Each batch must come out, alone or merged with others"))?;
            }
        }
    }
}

/// The records of the pending batches, followed by what the chain made of them.
fn merge<In, Out>(pending: Vec<PendingBatch<In>>, made: Batch<Out>) -> Batch<Either<In, Out>> {
    let mut batch = Batch {
        records: Vec::with_capacity(made.records.len() + pending.iter().map(|of| of.records.len()).sum::<usize>()),
        rejects: made.rejects,
        state: made.state,
        positions: made.positions,
        counts: Vec::new(),
        bytes: made.bytes,
        times: made.times,
    };
    for count in pending.iter().flat_map(|of| &of.counts) {
        let all = batch.count_of(&count.split);
        all.read += count.read;
        all.filtered += count.filtered;
    }
    let records = pending.into_iter().flat_map(|of| of.records);
    batch.records.extend(records.map(|Record { value, origin }| Record {
        value: Either::Left(value),
        origin,
    }));
    let made = made.records.into_iter();
    batch.records.extend(made.map(|Record { value, .. }| Record {
        value: Either::Right(value),
        origin: None,
    }));
    batch
}

impl<In> Shared<In> {
    fn lock(&self) -> std::sync::MutexGuard<'_, State<In>> {
        // No code panics while it changes the state, so a poisoned lock has nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<In> State<In> {
    /// Removes the tags from a batch that came out of the chain, and returns the pending batches that it was made of.
    fn take_pending<Out>(&mut self, tag: &Arc<str>, made: &mut Batch<Out>) -> Vec<PendingBatch<In>> {
        let mut last = None;
        made.state.retain(|change| {
            let is_tag = Arc::ptr_eq(&change.operator, tag);
            if is_tag && let Ok(number) = change.key.as_slice().try_into() {
                last = last.max(Some(u64::from_be_bytes(number)));
            }
            !is_tag
        });
        let with = self.pending.iter().take_while(|of| Some(of.number) <= last).count();
        self.pending.drain(..with).collect()
    }
}

impl<In> Source for BranchSource<In>
where
    In: Clone + Send + 'static,
{
    type Item = In;
    type Ack = ();

    fn describe(&self, _: &mut Topology) {}

    fn open(self, _: Checkpoint) -> (impl BatchStream<In>, ()) {
        (BranchInput(self.0), ())
    }
}

/// The stream of a [`BranchSource`]: the input, each batch tagged, with a copy of its records among the pending batches.
struct BranchInput<In>(Arc<Shared<In>>);

impl<In: Clone> Stream for BranchInput<In> {
    type Item = Result<Batch<In>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.lock();
        let Some(input) = &mut state.input else {
            return Poll::Ready(None);
        };
        let mut came = input.as_mut().poll_next(cx);
        match &mut came {
            Poll::Ready(Some(Ok(batch))) => {
                let number = state.batches;
                state.batches += 1;
                state.pending.push_back(PendingBatch {
                    number,
                    records: batch.records.clone(),
                    counts: batch.counts.clone(),
                });
                batch.state.push(StateChange {
                    operator: self.0.tag.clone(),
                    key: number.to_be_bytes().to_vec(),
                    format: 0,
                    value: None,
                });
            }
            Poll::Ready(None) => state.input = None,
            _ => {}
        }
        came
    }
}

impl<In> fmt::Debug for Shared<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl<In> fmt::Debug for BranchSource<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BranchSource").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::{TryStreamExt, stream};

    use super::*;
    use crate::contract::{EmptyLedger, Origin, Split};
    use crate::operators::filter::Filter;
    use crate::operators::par_map::ParMap;
    use crate::operators::source_ext::SourceExt;

    fn origin(record: u64) -> Option<Origin> {
        Some(Origin {
            split: Split::new("numbers", "a"),
            record,
            byte_offset: 0,
            raw: bytes::Bytes::new(),
        })
    }

    /// A batch as windows emit it at the end of the last run: with a state change and without a position.
    fn without_position(numbers: std::ops::Range<u64>) -> Result<Batch<u64>> {
        let mut batch = Batch::default();
        batch.state.push(StateChange {
            operator: "windows".into(),
            key: numbers.start.to_be_bytes().to_vec(),
            format: 1,
            value: None,
        });
        batch.records = numbers
            .map(|value| Record {
                value,
                origin: origin(value),
            })
            .collect();
        batch.count_of(&Split::new("numbers", "a")).read = batch.records.len() as u64;
        Ok(batch)
    }

    #[tokio::test]
    async fn records_leave_in_the_batch_that_they_came_in() {
        let chain = |all: BranchSource<u64>| all.via(ParMap::new(3, |n: u64| n)).via(Filter::new(|n: &u64| *n > 4));
        let input = stream::iter([without_position(0..3), without_position(3..4), without_position(4..9)]);
        let out = WithBranch::new(chain).apply(input, Arc::new(EmptyLedger::new("test")));
        let out: Vec<Batch<Either<u64, u64>>> = out.try_collect().await.unwrap();
        assert_eq!(out.len(), 3);
        for (batch, lefts) in out.iter().zip([0..3_u64, 3..4, 4..9]) {
            assert_eq!(batch.state.len(), 1);
            assert_eq!(batch.state[0].key, lefts.start.to_be_bytes());
            assert_eq!(
                (batch.counts[0].read, batch.counts[0].filtered),
                (lefts.end - lefts.start, 0)
            );
            let rights = lefts.clone().filter(|n| *n > 4).map(Either::Right);
            let expected: Vec<_> = lefts.clone().map(Either::Left).chain(rights).collect();
            let values: Vec<_> = batch.records.iter().map(|record| record.value).collect();
            assert_eq!(values, expected);
        }
    }

    #[tokio::test]
    async fn a_branch_may_contain_another_branch() {
        let doubled = |all: BranchSource<u64>| all.map(|n| n * 2);
        let chain = |all: BranchSource<u64>| all.filter(|n| n % 2 == 0).with_branch(doubled);
        let input = stream::iter([without_position(0..3), without_position(3..5)]);
        let out = WithBranch::new(chain).apply(input, Arc::new(EmptyLedger::new("test")));
        let out: Vec<Batch<_>> = out.try_collect().await.unwrap();
        let values: Vec<Vec<_>> = out
            .into_iter()
            .map(|batch| {
                assert_eq!(batch.state.len(), 1);
                batch.records.into_iter().map(|record| record.value).collect()
            })
            .collect();
        let own = |n| Either::Right(Either::Left(n));
        let twice = |n| Either::Right(Either::Right(n));
        let left = Either::Left;
        assert_eq!(
            values[0],
            [left(0), left(1), left(2), own(0), own(2), twice(0), twice(4)]
        );
        assert_eq!(values[1], [left(3), left(4), own(4), twice(8)]);
    }

    #[tokio::test]
    async fn a_branch_that_stops_early_is_an_error() {
        struct TakeOne;
        impl Transform<u64> for TakeOne {
            type Out = u64;
            fn apply(self, input: impl BatchStream<u64> + 'static, _: Checkpoint) -> impl BatchStream<u64> {
                // It takes two batches and gives only the first.
                input.try_chunks(2).map(|two| match two {
                    Ok(two) => Ok(two.into_iter().next().unwrap_or_default()),
                    Err(err) => Err(err.1),
                })
            }
        }
        let input = stream::iter([without_position(0..3), without_position(3..4)]);
        let out =
            WithBranch::new(|all: BranchSource<u64>| all.via(TakeOne)).apply(input, Arc::new(EmptyLedger::new("test")));
        let out: Result<Vec<Batch<_>>> = out.try_collect().await;
        assert_eq!(out.unwrap_err().kind(), ErrorKind::Configuration);
    }
}
