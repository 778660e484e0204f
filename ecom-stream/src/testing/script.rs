//! The input for the checks of transforms and sinks: given values, cut into batches in a given way.

use std::fmt;
use std::sync::Arc;

use async_stream::try_stream;
use bytes::Bytes;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::contract::{
    Batch, BatchStream, Checkpoint, Error, ErrorKind, Mark, Origin, Position, Record, Refusal, Reject, Source, Split,
    SplitState, StateChange, Topology,
};

pub(super) const OPERATOR: &str = "script";
const STATE_KEY: &[u8] = b"entries";
const BYTES_PER_ENTRY: u64 = 10;

/// A source that emits the values from two splits, with rejects and filtered records between them.
///
/// Each of these is an *entry*. After `n` entries the state entry of the operator [`OPERATOR`] has the value `n`, and the
/// positions are those of [`positions(n)`](Self::positions). So a check can tell from the state, or from the positions of a
/// ledger, exactly which entries must be there.
#[derive(Debug, Clone)]
pub(super) struct Script<T> {
    name: &'static str,
    entries: Arc<[Entry<T>]>,
    batching: Batching,
    fails_after_batches: Option<usize>,
}

/// One record that is read, and its outcome.
#[derive(Debug)]
struct Entry<T> {
    split: Split,
    number: u64,
    is_last: bool,
    kind: Kind<T>,
}

/// The outcome of an entry in the source.
#[derive(Debug)]
enum Kind<T> {
    Record(T),
    Reject,
    Filtered,
}

/// How the entries are cut into batches.
#[derive(Debug, Clone, Copy)]
pub(super) enum Batching {
    /// Into one batch.
    All,
    /// Into batches of this many entries.
    Of(usize),
    /// The same, and after each batch one that is empty, or that repeats the position and the state.
    WithEmptyOnes(usize),
    /// Into batches of 1 to 8 entries, by a seed.
    Random(u64),
}

impl fmt::Display for Batching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("one batch"),
            Self::Of(n) => write!(f, "batches of {n}"),
            Self::WithEmptyOnes(n) => write!(f, "batches of {n} with empty ones in between"),
            Self::Random(seed) => write!(f, "batches of 1 to 8 (seed {seed})"),
        }
    }
}

/// The number of entries of each kind, in a range.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) records: u64,
    pub(super) rejects: u64,
    pub(super) filtered: u64,
}

impl<T: Clone> Script<T> {
    pub(super) fn new(values: impl IntoIterator<Item = T>) -> Self {
        Self::named("script", values)
    }

    /// The script as a source of that name.
    pub(super) fn named(name: &'static str, values: impl IntoIterator<Item = T>) -> Self {
        let mut kinds = Vec::new();
        for (at, value) in values.into_iter().enumerate() {
            kinds.push(Kind::Record(value));
            if at % 5 == 2 {
                kinds.push(Kind::Reject);
            }
            if at % 7 == 3 {
                kinds.push(Kind::Filtered);
            }
        }
        let splits = [Split::new(name, "a"), Split::new(name, "b")];
        // In blocks, so that batches are of one split or of both.
        let of = |at: usize| at / 3 % 2;
        let total = kinds.len();
        let mut numbers = [0; 2];
        let entries = kinds.into_iter().enumerate().map(|(at, kind)| {
            numbers[of(at)] += 1;
            Entry {
                split: splits[of(at)].clone(),
                number: numbers[of(at)],
                is_last: (at + 1..total).all(|later| of(later) != of(at)),
                kind,
            }
        });
        Self {
            name,
            entries: entries.collect(),
            batching: Batching::All,
            fails_after_batches: None,
        }
    }

    pub(super) fn batching(mut self, batching: Batching) -> Self {
        self.batching = batching;
        self
    }

    /// Makes the source fail after this many batches.
    pub(super) fn failing_after(mut self, batches: usize) -> Self {
        self.fails_after_batches = Some(batches);
        self
    }

    /// The error that the source fails with.
    pub(super) fn failure() -> Error {
        Error::new(ErrorKind::Source, "the scripted failure")
    }

    /// The names of the source and its operator, for a sink.
    pub(super) fn topology(&self) -> Topology {
        let mut topology = Topology::default();
        topology.add_source(self.name, "script");
        topology.add_operator(OPERATOR);
        topology
    }

    pub(super) fn splits(&self) -> [Split; 2] {
        [Split::new(self.name, "a"), Split::new(self.name, "b")]
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The values among the first `end` entries.
    pub(super) fn values(&self, end: usize) -> Vec<T> {
        let values = self.entries[..end].iter().filter_map(|entry| match &entry.kind {
            Kind::Record(value) => Some(value.clone()),
            Kind::Reject | Kind::Filtered => None,
        });
        values.collect()
    }

    /// Counts the entries of a range.
    pub(super) fn tally(&self, range: std::ops::Range<usize>) -> Tally {
        let mut tally = Tally::default();
        for entry in &self.entries[range] {
            match entry.kind {
                Kind::Record(_) => tally.records += 1,
                Kind::Reject => tally.rejects += 1,
                Kind::Filtered => tally.filtered += 1,
            }
        }
        tally
    }

    /// The position of each split after the first `end` entries.
    pub(super) fn positions(&self, end: usize) -> Vec<Position> {
        let last = |split: &Split| self.entries[..end].iter().rfind(|entry| entry.split == *split);
        let splits = self.splits();
        splits.iter().filter_map(|split| last(split).map(position)).collect()
    }

    /// The state entry after the first `end` entries.
    pub(super) fn state(end: usize) -> StateChange {
        StateChange {
            operator: OPERATOR.into(),
            key: STATE_KEY.to_vec(),
            format: 3,
            value: Some(end.to_string().into_bytes()),
        }
    }

    /// How many entries the positions cover; `None` if they are not the positions after any number of entries.
    pub(super) fn covered(&self, positions: &[Position]) -> Option<usize> {
        let mut positions = positions.to_vec();
        positions.sort_by(|a, b| a.split.cmp(&b.split));
        (0..=self.len()).find(|&end| self.positions(end) == positions)
    }

    /// The index of the batch of each entry, in a run that begins after the first `start` entries.
    pub(super) fn batch_of(&self, start: usize) -> Vec<usize> {
        let left: Vec<usize> = (start..self.len()).collect();
        let batches = self.cut(&left).into_iter().enumerate();
        let numbers = batches.flat_map(|(number, batch)| batch.iter().map(move |_| number).collect::<Vec<_>>());
        std::iter::repeat_n(0, start).chain(numbers).collect()
    }

    /// The numbers of entries after which a batch ends, in a run that begins after the first `start` entries.
    pub(super) fn ends(&self, start: usize) -> Vec<usize> {
        let left: Vec<usize> = (start..self.len()).collect();
        let ends = self
            .cut(&left)
            .into_iter()
            .filter_map(|batch| batch.last().map(|at| at + 1));
        std::iter::once(start).chain(ends).collect()
    }

    /// How the entries are cut into batches.
    pub(super) fn how(&self) -> Batching {
        self.batching
    }

    /// Every reject.
    pub(super) fn rejects(&self) -> Vec<Reject> {
        let all: Vec<usize> = (0..self.len()).collect();
        self.batch(&all).rejects
    }

    /// The last entry of the batch that a state change came with; `None` if batches repeat the state.
    pub(super) fn entry_of_state(&self, state: &[StateChange]) -> Option<usize> {
        let of_script = |change: &&StateChange| &*change.operator == OPERATOR;
        let value = state.iter().rfind(of_script)?.value.as_deref()?;
        match self.batching {
            Batching::WithEmptyOnes(_) => None,
            _ => std::str::from_utf8(value).ok()?.parse::<usize>().ok()?.checked_sub(1),
        }
    }

    /// The index of the entry with that origin.
    pub(super) fn entry_at(&self, origin: &Origin) -> Option<usize> {
        let is_it = |entry: &Entry<T>| entry.split == origin.split && entry.number == origin.record;
        self.entries.iter().position(is_it)
    }

    fn cut<'a>(&self, mut left: &'a [usize]) -> Vec<&'a [usize]> {
        let mut rng = match self.batching {
            Batching::Random(seed) => Some(Xoshiro256PlusPlus::seed_from_u64(seed)),
            _ => None,
        };
        let mut batches = Vec::new();
        while !left.is_empty() {
            let most = match (self.batching, &mut rng) {
                (_, Some(rng)) => rng.random_range(1..=8),
                (Batching::Of(n) | Batching::WithEmptyOnes(n), _) => n,
                _ => left.len(),
            };
            let (batch, rest) = left.split_at(most.clamp(1, left.len()));
            batches.push(batch);
            left = rest;
        }
        batches
    }

    fn batch(&self, at: &[usize]) -> Batch<T> {
        let mut batch = Batch {
            bytes: at.len() * BYTES_PER_ENTRY as usize,
            ..Batch::default()
        };
        for &at in at {
            let entry = &self.entries[at];
            let origin = Origin {
                split: entry.split.clone(),
                record: entry.number,
                byte_offset: (entry.number - 1) * BYTES_PER_ENTRY,
                raw: Bytes::from(format!("entry {at}")),
            };
            batch.count_of(&entry.split).read += 1;
            match &entry.kind {
                Kind::Record(value) => batch.records.push(Record {
                    value: value.clone(),
                    origin: Some(origin),
                }),
                Kind::Reject => batch
                    .rejects
                    .push(Reject::new(origin, Refusal::new("scripted", "as written"))),
                Kind::Filtered => batch.count_of(&entry.split).filtered += 1,
            }
            batch.positions.retain(|position| position.split != entry.split);
            batch.positions.push(position(entry));
            batch.state = vec![Self::state(at + 1)];
        }
        batch
    }
}

fn position<T>(entry: &Entry<T>) -> Position {
    Position {
        split: entry.split.clone(),
        offset: entry.number * BYTES_PER_ENTRY,
        record: entry.number,
        state: if entry.is_last {
            SplitState::Finished
        } else {
            SplitState::Open
        },
        // A ledger must return the spaces and the order of keys unchanged.
        mark: Mark::new(format!(r#"{{"z": 1,  "a" :{}}}"#, entry.number)),
    }
}

impl<T: Clone + Send + Sync + 'static> Source for Script<T> {
    type Item = T;
    type Ack = ();

    fn describe(&self, topology: &mut Topology) {
        for source in self.topology().sources() {
            topology.add_source(&*source.name, &*source.location);
        }
        topology.add_operator(OPERATOR);
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<T>, ()) {
        let stream = try_stream! {
            let known = from.positions(&self.splits()).await?;
            let is_left = |at: &usize| {
                let entry = &self.entries[*at];
                known.iter().all(|position| position.split != entry.split || position.record < entry.number)
            };
            let left: Vec<usize> = (0..self.len()).filter(is_left).collect();
            for (number, at) in self.cut(&left).into_iter().enumerate() {
                if self.fails_after_batches.is_some_and(|batches| number == batches) {
                    Err(Self::failure())?;
                }
                // A check can drop the run here.
                tokio::task::yield_now().await;
                let batch = self.batch(at);
                let again = Batch {
                    positions: batch.positions.clone(),
                    state: batch.state.clone(),
                    ..Batch::default()
                };
                yield batch;
                if let Batching::WithEmptyOnes(_) = self.batching {
                    yield if number % 2 == 0 { Batch::default() } else { again };
                }
            }
            if self.fails_after_batches.is_some() {
                Err(Self::failure())?;
            }
        };
        (stream, ())
    }
}
