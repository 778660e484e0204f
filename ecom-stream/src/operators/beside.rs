use std::collections::VecDeque;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_stream::try_stream;
use futures::{Stream, StreamExt};

use crate::{
    Batch, BatchStream, Checkpoint, Either, Position, Record, Result, Source, SplitCount, Topology, Transform,
};

/// Lets the records through, and beside them what a chain of operators makes of them; see
/// [`SourceExt::beside`](crate::SourceExt::beside).
///
/// Both leave in one batch, with the position that covers the records: so a sink commits both, or none. Each of the two keeps
/// its order; how they interleave depends on the batches. What the chain leaves out
/// is not counted as filtered, since the record itself goes on; what it rejects, such as late records, is a reject besides.
#[derive(Debug)]
pub struct Beside<S, In> {
    chain: S,
    shared: Arc<Shared<In>>,
}

/// The records, as the chain beside them gets them.
pub struct Branch<In>(Arc<Shared<In>>);

struct Shared<In>(Mutex<State<In>>);

type Input<In> = Pin<Box<dyn Stream<Item = Result<Batch<In>>> + Send>>;

struct State<In> {
    input: Option<Input<In>>,
    /// What the chain took and didn't give out yet.
    taken: VecDeque<Taken<In>>,
}

struct Taken<In> {
    records: Vec<Record<In>>,
    positions: Vec<Position>,
    counts: Vec<SplitCount>,
}

impl<S, In> Beside<S, In> {
    /// With the chain that `build` makes.
    pub fn new(build: impl FnOnce(Branch<In>) -> S) -> Self {
        let state = State {
            input: None,
            taken: VecDeque::new(),
        };
        let shared = Arc::new(Shared(Mutex::new(state)));
        Self {
            chain: build(Branch(shared.clone())),
            shared,
        }
    }
}

impl<S, In> Transform<In> for Beside<S, In>
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
                let made = made?;
                let covered = shared.lock().covered_by(&made.positions);
                yield joined(covered, made);
            }
            let rest: Vec<_> = shared.lock().taken.drain(..).collect();
            if !rest.is_empty() {
                yield joined(rest, Batch::default());
            }
        }
    }
}

/// What came in, and what was made of it.
fn joined<In, Out>(taken: Vec<Taken<In>>, made: Batch<Out>) -> Batch<Either<In, Out>> {
    let mut batch = Batch {
        records: Vec::with_capacity(made.records.len() + taken.iter().map(|of| of.records.len()).sum::<usize>()),
        rejects: made.rejects,
        state: made.state,
        positions: made.positions,
        counts: Vec::new(),
        bytes: made.bytes,
        times: made.times,
    };
    for of in taken {
        let records = of.records.into_iter();
        batch.records.extend(records.map(|Record { value, origin }| Record {
            value: Either::Left(value),
            origin,
        }));
        for count in of.counts {
            let all = batch.count_of(&count.split);
            all.read += count.read;
            all.filtered += count.filtered;
        }
    }
    let records = made.records.into_iter();
    batch.records.extend(records.map(|Record { value, origin }| Record {
        value: Either::Right(value),
        origin,
    }));
    batch
}

impl<In> Shared<In> {
    fn lock(&self) -> std::sync::MutexGuard<'_, State<In>> {
        // Nothing is left half done in it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<In> State<In> {
    /// Takes what the positions cover: the batches up to the last that one of them came in with. A chain keeps the order of
    /// batches, but it may take some in advance, or merge them.
    fn covered_by(&mut self, positions: &[Position]) -> Vec<Taken<In>> {
        let came_with = |position| self.taken.iter().position(|of| of.positions.contains(position));
        let last = positions.iter().filter_map(came_with).max();
        self.taken.drain(..last.map_or(0, |last| last + 1)).collect()
    }
}

impl<In> Source for Branch<In>
where
    In: Clone + Send + 'static,
{
    type Item = In;
    type Ack = ();

    fn describe(&self, _: &mut Topology) {}

    fn open(self, _: Checkpoint) -> (impl BatchStream<In>, ()) {
        (self, ())
    }
}

impl<In: Clone> Stream for Branch<In> {
    type Item = Result<Batch<In>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.lock();
        let Some(input) = &mut state.input else {
            return Poll::Ready(None);
        };
        let came = input.as_mut().poll_next(cx);
        match &came {
            Poll::Ready(Some(Ok(batch))) => {
                let taken = Taken {
                    records: batch.records.clone(),
                    positions: batch.positions.clone(),
                    counts: batch.counts.clone(),
                };
                if !(taken.records.is_empty() && taken.positions.is_empty() && taken.counts.is_empty()) {
                    state.taken.push_back(taken);
                }
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

impl<In> fmt::Debug for Branch<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Branch").finish_non_exhaustive()
    }
}
