//! Runs a transform over one input: in different batches, with interruptions, and as the last run of a pipeline.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use ecom_stream::bytes::Bytes;
use ecom_stream::memory::MemorySink;
use ecom_stream::{
    Batch, BatchStream, Checkpoint, Ledger, Origin, Position, Record, Reject, Result, Sink, Split, SplitCandidates,
    SplitState, StateChange, Topology, Transform,
};
use futures::executor::block_on;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use proptest::prelude::*;

const SOURCES: [&str; 2] = ["one", "other"];

/// A record of the input.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry<T> {
    pub(crate) split: usize,
    /// Whether the split ends with it.
    pub(crate) is_last: bool,
    pub(crate) value: T,
}

/// How the input is cut into batches, and after how many of them runs are interrupted.
#[derive(Debug, Clone)]
pub(crate) struct Cuts {
    /// The sizes of batches, repeated in a cycle.
    sizes: Vec<usize>,
    /// For each run but the last, how many batches are committed, and how many more are read and lost.
    runs: Vec<(usize, usize)>,
}

/// What several runs of a transform have committed, together.
#[derive(Debug, PartialEq)]
pub(crate) struct RunOutput<O> {
    pub(crate) records: Vec<Record<O>>,
    pub(crate) rejects: Vec<(usize, String)>,
    pub(crate) filtered: u64,
    pub(crate) state: BTreeMap<(Arc<str>, Vec<u8>), Vec<u8>>,
    /// The number of state entries that each batch changed.
    pub(crate) changes: Vec<usize>,
}

impl<O> RunOutput<O> {
    /// The number of entries in the state of an operator.
    pub(crate) fn state_of(&self, operator: &str) -> usize {
        self.state.keys().filter(|(of, _)| **of == *operator).count()
    }

    pub(crate) fn values(self) -> Vec<O> {
        self.records.into_iter().map(|record| record.value).collect()
    }
}

impl Cuts {
    /// One run, its first batch of the first size and the others of the second.
    pub(crate) fn of(sizes: Vec<usize>, others: usize) -> Self {
        let (first, second) = (sizes[0], sizes[1]);
        Self {
            sizes: [first].into_iter().chain(std::iter::repeat_n(second, others)).collect(),
            runs: Vec::new(),
        }
    }

    /// A single run with all entries in one batch.
    pub(crate) fn none(entries: usize) -> Self {
        Self {
            sizes: vec![entries.max(1)],
            runs: Vec::new(),
        }
    }
}

pub(crate) fn cuts() -> impl Strategy<Value = Cuts> {
    let sizes = prop::collection::vec(0..9_usize, 1..6)
        .prop_filter("batches of nothing alone", |sizes| sizes.iter().any(|size| *size > 0));
    (sizes, prop::collection::vec((0..6_usize, 0..3_usize), 0..5)).prop_map(|(sizes, runs)| Cuts { sizes, runs })
}

/// Entries of up to three splits with values from `value`, which is given the number of the entry.
pub(crate) fn entries<T: Debug + Clone, S: Strategy<Value = T>>(
    value: impl Fn() -> S,
) -> impl Strategy<Value = Vec<Entry<T>>> {
    let entries = prop::collection::vec((0..3_usize, value()), 0..70);
    (entries, any::<[bool; 3]>()).prop_map(|(entries, ends)| {
        let last = |split: usize| entries.iter().rposition(|(of, _)| *of == split);
        let lasts = [0, 1, 2].map(|split| if ends[split] { last(split) } else { None });
        let entry = |(at, (split, value)): (usize, (usize, T))| Entry {
            split,
            is_last: lasts[split] == Some(at),
            value,
        };
        entries.clone().into_iter().enumerate().map(entry).collect()
    })
}

/// Checks that neither the batches nor interruptions make a difference, and returns what was committed.
pub(crate) fn check<T, Tr>(
    make: impl Fn() -> Tr,
    input: &[Entry<T>],
    cuts: &Cuts,
    is_last_run: bool,
) -> RunOutput<Tr::Out>
where
    T: Clone + Send + Sync + 'static,
    Tr: Transform<T>,
    Tr::Out: PartialEq + Debug,
{
    let whole = Cuts::none(input.len());
    let uncut = Cuts {
        sizes: cuts.sizes.clone(),
        runs: Vec::new(),
    };
    let mut whole = runs(&make, input, &whole, is_last_run);
    whole.rejects.sort();
    for (how, cuts) in [("other batches", &uncut), ("cuts", cuts)] {
        let mut seen = runs(&make, input, cuts, is_last_run);
        seen.changes.clone_from(&whole.changes);
        seen.rejects.sort();
        assert_eq!(seen, whole, "{how}");
    }
    whole
}

/// Runs a transform several times, each time from the last commit of the run before.
pub(crate) fn runs<T, Tr>(
    make: &impl Fn() -> Tr,
    input: &[Entry<T>],
    cuts: &Cuts,
    is_last_run: bool,
) -> RunOutput<Tr::Out>
where
    T: Clone + Send + Sync + 'static,
    Tr: Transform<T>,
{
    let ledger = MemorySink::<()>::new("test");
    let mut seen = RunOutput {
        records: Vec::new(),
        rejects: Vec::new(),
        filtered: 0,
        state: BTreeMap::new(),
        changes: Vec::new(),
    };
    let mut done = 0;
    let runs = cuts.runs.iter().map(|(commit, read)| (*commit, *read));
    for (commit, more) in runs.chain([(usize::MAX, 0)]) {
        let batches = batches(input, done, &cuts.sizes);
        let checkpoint = checkpoint(&ledger, is_last_run);
        let input_ends = |count: usize| batches[..count.min(batches.len())].last().map(|(end, _)| *end);
        let stream = stream::iter(batches.clone()).map(|(_, batch)| Ok(batch));
        let mut given = block_on(read(make().apply(stream, checkpoint), commit.saturating_add(more)));
        given.truncate(commit);
        done = input_ends(given.len()).unwrap_or(done);
        for batch in given {
            add_batch(&mut seen, &ledger, batch);
        }
    }
    seen
}

async fn read<O>(batches: impl BatchStream<O>, most: usize) -> Vec<Batch<O>> {
    batches.take(most).try_collect().await.unwrap()
}

fn add_batch<O>(seen: &mut RunOutput<O>, ledger: &MemorySink<()>, batch: Batch<O>) {
    seen.changes.push(batch.state.len());
    for change in &batch.state {
        let entry = (change.operator.clone(), change.key.clone());
        match &change.value {
            Some(value) => seen.state.insert(entry, value.clone()),
            None => seen.state.remove(&entry),
        };
    }
    seen.records.extend(batch.records);
    seen.rejects.extend(batch.rejects.iter().map(number_and_reason));
    seen.filtered += batch.counts.iter().map(|count| count.filtered).sum::<u64>();
    let kept = Batch::new(Vec::new()).with_state(batch.state);
    let commits = ledger.clone().commit(stream::iter([Ok(kept)]));
    block_on(commits.for_each(async |commit| assert!(commit.is_ok())));
}

fn number_and_reason(reject: &Reject) -> (usize, String) {
    let origin = reject.origin.as_ref().expect("an origin");
    (origin.byte_offset as usize, reject.refusal.reason.to_string())
}

/// The batches of the entries after the first `done`, each with the number of entries up to its end.
fn batches<T: Clone>(input: &[Entry<T>], mut done: usize, sizes: &[usize]) -> Vec<(usize, Batch<T>)> {
    // The last split is of another source.
    let split = |number: usize| Split::new(SOURCES[number / 2], number.to_string());
    let mut sizes = sizes.iter().cycle();
    let mut batches = Vec::new();
    while done < input.len() {
        let end = (done + sizes.next().expect("a cycle")).min(input.len());
        let mut batch = Batch::default();
        for (at, entry) in input.iter().enumerate().take(end).skip(done) {
            let split = split(entry.split);
            batch.count_of(&split).read += 1;
            batch.positions.retain(|position: &Position| position.split != split);
            batch
                .positions
                .push(
                    Position::new(split.clone(), at as u64 + 1, at as u64 + 1).with_state(if entry.is_last {
                        SplitState::Finished
                    } else {
                        SplitState::Open
                    }),
                );
            let origin = Origin::new(split, at as u64 + 1, at as u64, Bytes::new());
            batch.records.push(Record::new(entry.value.clone(), Some(origin)));
        }
        batches.push((end, batch));
        done = end;
    }
    batches
}

fn checkpoint(sink: &MemorySink<()>, is_last_run: bool) -> Checkpoint {
    let ledger = block_on(sink.clone().ledger(&Topology::default())).unwrap();
    Arc::new(Run {
        ledger,
        is_last_run,
        sources: SOURCES.map(str::to_owned),
    })
}

struct Run {
    ledger: Checkpoint,
    is_last_run: bool,
    sources: [String; 2],
}

impl Ledger for Run {
    fn pipeline(&self) -> &str {
        self.ledger.pipeline()
    }

    fn positions<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Position>>> {
        self.ledger.positions(of)
    }

    fn candidates<'a>(&'a self, source: &'a str, sizes: &'a [u64]) -> BoxFuture<'a, Result<SplitCandidates>> {
        self.ledger.candidates(source, sizes)
    }

    fn finished_by_digest<'a>(
        &'a self,
        source: &'a str,
        of: &'a [(u64, String)],
    ) -> BoxFuture<'a, Result<Vec<Position>>> {
        self.ledger.finished_by_digest(source, of)
    }

    fn state<'a>(&'a self, operator: &'a str) -> BoxStream<'a, Result<StateChange>> {
        self.ledger.state(operator)
    }

    fn is_last_run(&self) -> bool {
        self.is_last_run
    }

    fn sources(&self) -> &[String] {
        &self.sources
    }
}

/// A transform followed by another.
pub(crate) struct Chain<A, B>(pub(crate) A, pub(crate) B);

impl<In, A, B> Transform<In> for Chain<A, B>
where
    In: Send + 'static,
    A: Transform<In> + 'static,
    B: Transform<A::Out>,
{
    type Out = B::Out;

    fn describe(&self, topology: &mut Topology) {
        self.0.describe(topology);
        self.1.describe(topology);
    }

    fn apply(self, input: impl BatchStream<In> + 'static, from: Checkpoint) -> impl BatchStream<B::Out> {
        self.1.apply(self.0.apply(input, from.clone()), from)
    }
}
