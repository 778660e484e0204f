//! The simulated sink: slow, failing, and with checks of every batch that it commits.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_stream::try_stream;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use tokio::time::sleep;

use super::super::mark::FileMark;
use super::world::{Shared, World, lock};
use crate::connectors::memory::MemorySink;
use crate::contract::{
    Batch, BatchStream, Checkpoint, Commit, Counts, Error, ErrorKind, Ledger, Position, Result, Sink, Split,
    SplitCandidates, SplitState, StateChange, Topology,
};
use crate::csv::CsvRecord;

/// A [`MemorySink`] that is slow, fails before, in and after its commits, and checks what it is given.
#[derive(Clone)]
pub(super) struct SimSink {
    pub(super) store: MemorySink<CsvRecord>,
    pub(super) durable: Arc<Mutex<DurablePositions>>,
    pub(super) world: Shared,
    pub(super) process: u64,
    /// One in this many commits fails before, one during and one after it; 0 for none.
    pub(super) fails: u32,
    /// The largest number of batches in a commit.
    pub(super) epoch_batches: usize,
    pub(super) allow_copies: bool,
    /// How often the server had gone back when this run began.
    pub(super) went_back: u64,
}

/// What is committed at a moment, to go back to.
pub(super) struct Backup {
    store: MemorySink<CsvRecord>,
    durable: DurablePositions,
    finished: BTreeSet<String>,
}

/// The durable positions of each split, that is of each generation of a path.
#[derive(Debug, Clone, Default)]
pub(super) struct DurablePositions {
    pub(super) last: BTreeMap<Split, Position>,
    first: HashMap<Split, First>,
}

/// What was true when the first position of a split was committed.
#[derive(Debug, Clone)]
struct First {
    mark: FileMark,
    /// The digests of files that were finished then.
    finished: BTreeSet<String>,
}

impl First {
    fn new(durable: &DurablePositions, mark: &FileMark) -> Self {
        let finished = durable
            .last
            .values()
            .filter(|known| known.state == SplitState::Finished);
        Self {
            mark: mark.clone(),
            finished: finished
                .filter_map(FileMark::of)
                .filter(|mark| mark.renamed_to.is_none())
                .map(|mark| mark.digest)
                .collect(),
        }
    }
}

struct SimLedger {
    sink: SimSink,
    inner: Checkpoint,
}

impl SimSink {
    /// A copy of what is committed now.
    pub(super) fn back_up(&self) -> Backup {
        Backup {
            store: self.store.backup(),
            durable: self.durable.lock().unwrap().clone(),
            finished: lock(&self.world).finished.clone(),
        }
    }

    /// The server goes back in time. Files that were removed since, for commits that are lost now, are lost with them.
    pub(super) fn go_back(&self, backup: &Backup) {
        let mut world = lock(&self.world);
        world.note("-- the server goes back in time");
        self.store.restore(&backup.store);
        *self.durable.lock().unwrap() = backup.durable.clone();
        let finished = std::mem::replace(&mut world.finished, backup.finished.clone());
        let lost: BTreeSet<String> = finished.difference(&backup.finished).cloned().collect();
        world
            .removed
            .retain(|(bytes, _)| !lost.contains(blake3::hash(bytes).to_hex().as_str()));
        world.lost.extend(lost);
        world.went_back += 1;
    }

    /// Fails if the server has gone back since this run began: then no commit of it succeeds, as the holder in the ledger is
    /// another one.
    fn check_lead(&self) -> Result<()> {
        let mut world = lock(&self.world);
        if world.went_back == self.went_back {
            return Ok(());
        }
        // No file may be removed from now on for a commit that is lost.
        world.lost.clear();
        Err(Error::new(ErrorKind::Stale, "the server has lost commits"))
    }

    /// Waits until the server has gone back, as the sink finds out every second.
    async fn lead_lost(&self) -> Error {
        loop {
            match self.check_lead() {
                Ok(()) => sleep(Duration::from_secs(1)).await,
                Err(err) => return err,
            }
        }
    }

    async fn pause(&self, most_ms: u64) {
        let ms = {
            let mut world = lock(&self.world);
            match world.one_in(3) {
                true => world.rng.u64(..most_ms),
                false => 0,
            }
        };
        if ms > 0 {
            sleep(Duration::from_millis(ms)).await;
        }
    }

    fn fault(&self, when: &str) -> Result<()> {
        let mut world = lock(&self.world);
        if world.process != self.process {
            return Err(Error::new(ErrorKind::Sink, "the process is dead"));
        }
        match world.one_in(self.fails) {
            true => {
                world.note(format!("  the sink fails {when} a commit"));
                world.is_interrupted = true;
                Err(Error::new(ErrorKind::Sink, format!("failed {when} a commit")))
            }
            false => Ok(()),
        }
    }

    /// Checks a batch against the durable positions, and records its own.
    fn record_batch(&self, batch: &Batch<CsvRecord>) {
        let mut world = lock(&self.world);
        let mut durable = self.durable.lock().unwrap();
        let was_renamed = |position: &Position| FileMark::of(position).is_some_and(|mark| mark.renamed_to.is_some());
        let ended = batch.positions.iter().find(|position| was_renamed(position));
        for position in &batch.positions {
            let (split, mark) = (&position.split, FileMark::of(position).unwrap());
            world.note(format!(
                "  durable: {split} {} at {} record {}, of {} bytes, inode {}{}",
                position.state.as_str(),
                position.offset,
                position.record,
                mark.stat.size,
                mark.stat.inode,
                mark.copy_of
                    .as_ref()
                    .map(|of| format!(", copy of {of}"))
                    .unwrap_or_default(),
            ));
            let before = durable.last.get(split).cloned();
            if let Some(before) = &before
                && (position.offset < before.offset && before.record > 0 || position.record < before.record)
            {
                world.broken(format!("{split} goes back from {before:?} to {position:?}"));
            }
            let newer = durable.last.keys().any(|known| {
                known.path() == split.path() && known.generation() > split.generation() && mark.renamed_to.is_none()
            });
            if newer && position.state != SplitState::Withdrawn {
                world.broken(format!("{split} is read although there is a newer generation"));
            }

            let mut older = durable
                .last
                .range(Split::new(split.source(), split.path())..split.clone());
            if older.any(|(_, known)| known.state == SplitState::Open) {
                world.broken(format!("{split} is read and an older generation stays open"));
            }

            let numbers = batch.records.iter().filter_map(|record| record.origin.as_ref());
            let numbers = numbers.chain(batch.rejects.iter().filter_map(|reject| reject.origin.as_ref()));
            let mut numbers: Vec<u64> = numbers
                .filter(|origin| origin.split == *split)
                .map(|origin| origin.record)
                .collect();
            numbers.sort_unstable();
            let from = match (&before, ended) {
                (Some(before), _) if before.record > 0 => before.record,
                (_, Some(ended)) if ended.split != *split => ended.record,
                _ if mark.copy_of.is_some() => position.record - numbers.len() as u64,
                _ => 0,
            };
            let counted: u64 = batch
                .counts
                .iter()
                .filter(|count| count.split == *split)
                .map(|count| count.read)
                .sum();
            if !numbers.iter().copied().eq(from + 1..=position.record) || counted != numbers.len() as u64 {
                world.broken(format!(
                    "{split} has {numbers:?} after {from} where it stands at {} and counts {counted}",
                    position.record
                ));
            }

            if before.as_ref().is_none_or(|before| before.record == 0) {
                self.excuse_growth_after_renaming(&mut world, &durable, position, &mark);
                let first = First::new(&durable, &mark);
                durable.first.insert(split.clone(), first);
            }
            durable.last.insert(split.clone(), position.clone());
            if position.state == SplitState::Finished {
                self.check_copy(&mut world, &durable, position, &mark);
                world.finished.insert(mark.digest);
            }
        }
    }

    /// Allows one more reading of a file that was finished, or read into the middle of a record, and was then renamed and grew
    /// between two scans. Neither its name nor its size is known then: this is the only case in which a file is read twice
    /// by design. If copies are allowed, it is enough that the file was finished.
    fn excuse_growth_after_renaming(
        &self,
        world: &mut World,
        durable: &DurablePositions,
        position: &Position,
        mark: &FileMark,
    ) {
        let before = durable.last.values().filter(|known| {
            let is_unknown = |before: FileMark| {
                let is_past = known.state == SplitState::Finished || before.unterminated;
                before.renamed_to.is_none() && is_past && (known.offset < mark.stat.size || self.allow_copies)
            };
            known.split != position.split && FileMark::of(known).is_some_and(is_unknown)
        });
        let before: Vec<&str> = before.map(|known| known.split.path()).collect();
        for node in &world.nodes {
            let was = |path: &str| node.paths.contains(path);
            let is_it = node.inode == mark.stat.inode && was(position.split.path());
            if is_it && before.iter().any(|path| was(path)) {
                let read = node.past.iter().chain([&node.content]);
                read.for_each(|content| world.contents[*content].excused += 1);
            }
        }
    }

    /// A file that had the bytes of a finished one all the time that it was being read is a copy, and must not be read.
    fn check_copy(&self, world: &mut World, durable: &DurablePositions, position: &Position, mark: &FileMark) {
        let first = &durable.first[&position.split];
        let path = position.split.path();
        let is_whole = first.mark.stat == mark.stat && mark.stat.size == position.offset;
        let opened = world
            .opened
            .iter()
            .filter(|(name, stat)| name == path && stat.inode == mark.stat.inode);
        let is_one = opened.map(|(_, stat)| stat).all(|stat| *stat == mark.stat);
        let is_new = position.record > 0 && mark.copy_of.is_none() && mark.renamed_to.is_none();
        if !self.allow_copies && is_new && is_whole && first.finished.contains(&mark.digest) && is_one {
            world.broken(format!("{} is a copy of a finished file and was read", position.split));
        }
    }
}

impl Ledger for SimLedger {
    fn pipeline(&self) -> &str {
        self.inner.pipeline()
    }

    fn positions<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Position>>> {
        async {
            self.sink.pause(20).await;
            self.sink.check_lead()?;
            let positions = self.inner.positions(of).await;
            self.sink.pause(20).await;
            positions
        }
        .boxed()
    }

    fn candidates<'a>(&'a self, source: &'a str, sizes: &'a [u64]) -> BoxFuture<'a, Result<SplitCandidates>> {
        async {
            self.sink.pause(20).await;
            self.sink.check_lead()?;
            let candidates = self.inner.candidates(source, sizes).await;
            self.sink.pause(20).await;
            candidates
        }
        .boxed()
    }

    fn finished_by_digest<'a>(
        &'a self,
        source: &'a str,
        of: &'a [(u64, String)],
    ) -> BoxFuture<'a, Result<Vec<Position>>> {
        async {
            self.sink.pause(20).await;
            self.sink.check_lead()?;
            let positions = self.inner.finished_by_digest(source, of).await;
            self.sink.pause(20).await;
            positions
        }
        .boxed()
    }

    fn nothing_stored<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Split>>> {
        async {
            self.sink.pause(20).await;
            self.sink.check_lead()?;
            let splits = self.inner.nothing_stored(of).await;
            self.sink.pause(20).await;
            splits
        }
        .boxed()
    }

    fn state<'a>(&'a self, operator: &'a str) -> BoxStream<'a, Result<StateChange>> {
        self.inner.state(operator)
    }
}

impl Sink<CsvRecord> for SimSink {
    async fn ledger(&mut self, topology: &Topology) -> Result<Checkpoint> {
        {
            let mut world = lock(&self.world);
            self.went_back = world.went_back;
            world.lost.clear();
        }
        let inner = self.store.ledger(topology).await?;
        let sink = self.clone();
        Ok(Arc::new(SimLedger { sink, inner }))
    }

    fn commit(self, input: impl BatchStream<CsvRecord> + 'static) -> impl Stream<Item = Result<Commit>> + Send {
        try_stream! {
            let mut input = Box::pin(input).ready_chunks(self.epoch_batches);
            loop {
                let next = tokio::select! {
                    biased;
                    err = self.lead_lost() => Err(err),
                    next = input.next() => Ok(next),
                };
                let Some(batches) = next? else { break };
                // What came before an error is committed.
                let mut failed = None;
                let whole = batches.into_iter().map_while(|batch| batch.map_err(|err| failed = Some(err)).ok());
                let batches: Vec<_> = whole.collect();
                self.fault("before")?;
                self.pause(400).await;
                self.fault("in")?;
                self.check_lead()?;
                // From here on there is no await that can be dropped: either all of it becomes durable, or nothing.
                let (mut epoch, mut counts) = (0, Counts::default());
                let mut positions: Vec<Position> = Vec::new();
                for batch in batches {
                    self.record_batch(&batch);
                    let committed = self.store.clone().commit(stream::iter([Ok(batch)]));
                    for commit in committed.collect::<Vec<_>>().now_or_never().unwrap_or_default() {
                        let commit = commit?;
                        epoch = commit.epoch;
                        counts += commit.counts;
                        // The last position of each split counts.
                        positions.retain(|known| commit.positions.iter().all(|new| new.split != known.split));
                        positions.extend(commit.positions);
                    }
                }
                self.fault("after")?;
                self.pause(100).await;
                if epoch > 0 {
                    let mut commit = Commit::new(epoch);
                    commit.positions = positions;
                    commit.counts = counts;
                    yield commit;
                }
                if let Some(err) = failed {
                    Err(err)?;
                }
            }
        }
    }
}
