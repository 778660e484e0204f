//! The source of the checks of transforms and sinks: given values, cut into batches as one likes.

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

/// The values as a source of two splits. Between them come rejects, records that were filtered out, and a state entry
/// that says how many entries there were.
#[derive(Debug, Clone)]
pub(super) struct Script<T> {
    name: &'static str,
    entries: Arc<[Entry<T>]>,
    batching: Batching,
    fails_after_batches: Option<usize>,
}

#[derive(Debug)]
struct Entry<T> {
    split: Split,
    number: u64,
    is_last: bool,
    kind: Kind<T>,
}

#[derive(Debug)]
enum Kind<T> {
    Record(T),
    Reject,
    Filtered,
}

/// How the entries are cut into batches.
#[derive(Debug, Clone, Copy)]
pub(super) enum Batching {
    All,
    Of(usize),
    /// With an empty batch, or one that only says again where it is, after each.
    WithEmptyOnes(usize),
    /// Of 1 to 8 entries, from a seed.
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

/// What was given up to some entry.
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

    /// After so many batches comes an error in place of the rest.
    pub(super) fn failing_after(mut self, batches: usize) -> Self {
        self.fails_after_batches = Some(batches);
        self
    }

    pub(super) fn failure() -> Error {
        Error::new(ErrorKind::Source, "the scripted failure")
    }

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

    /// The positions and the state after the first `end` entries.
    pub(super) fn positions(&self, end: usize) -> Vec<Position> {
        let last = |split: &Split| self.entries[..end].iter().rfind(|entry| entry.split == *split);
        let splits = self.splits();
        splits.iter().filter_map(|split| last(split).map(position)).collect()
    }

    pub(super) fn state(end: usize) -> StateChange {
        StateChange {
            operator: OPERATOR.into(),
            key: STATE_KEY.to_vec(),
            format: 3,
            value: Some(end.to_string().into_bytes()),
        }
    }

    /// How many entries the positions cover, if they are those after some entry.
    pub(super) fn covered(&self, positions: &[Position]) -> Option<usize> {
        let mut positions = positions.to_vec();
        positions.sort_by(|a, b| a.split.cmp(&b.split));
        (0..=self.len()).find(|&end| self.positions(end) == positions)
    }

    /// The number of the batch that each entry is in, when a run begins after the first `start`.
    pub(super) fn batch_of(&self, start: usize) -> Vec<usize> {
        let left: Vec<usize> = (start..self.len()).collect();
        let batches = self.cut(&left).into_iter().enumerate();
        let numbers = batches.flat_map(|(number, batch)| batch.iter().map(move |_| number).collect::<Vec<_>>());
        std::iter::repeat_n(0, start).chain(numbers).collect()
    }

    /// After how many entries a batch ends, when a run begins after the first `start`.
    pub(super) fn ends(&self, start: usize) -> Vec<usize> {
        let left: Vec<usize> = (start..self.len()).collect();
        let ends = self
            .cut(&left)
            .into_iter()
            .filter_map(|batch| batch.last().map(|at| at + 1));
        std::iter::once(start).chain(ends).collect()
    }

    pub(super) fn how(&self) -> Batching {
        self.batching
    }

    pub(super) fn rejects(&self) -> Vec<Reject> {
        let all: Vec<usize> = (0..self.len()).collect();
        self.batch(&all).rejects
    }

    /// The last entry of the batch that the state change is from; none where batches say again where they are.
    pub(super) fn entry_of_state(&self, state: &[StateChange]) -> Option<usize> {
        let of_script = |change: &&StateChange| &*change.operator == OPERATOR;
        let value = state.iter().rfind(of_script)?.value.as_deref()?;
        match self.batching {
            Batching::WithEmptyOnes(_) => None,
            _ => std::str::from_utf8(value).ok()?.parse::<usize>().ok()?.checked_sub(1),
        }
    }

    /// Which entry was read at the place.
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
        // Its spaces and the order of its keys are to be kept.
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
                // So that there is a moment to be dropped at.
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
