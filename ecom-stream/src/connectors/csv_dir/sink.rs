use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use csv_async::ByteRecord;
use futures::Stream;
use futures::stream::StreamExt;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep_until};

use super::atomic_file::AtomicFile;
use super::file_name::FileNames;
use super::open_file::{OpenFile, blocking};
use crate::contract::{
    Batch, BatchStream, Checkpoint, Commit, Counts, EmptyLedger, Error, ErrorKind, Position, Result, Sink, Times,
    Topology,
};
use crate::csv::ToCsv;

/// Writes records into the CSV files of a directory: `events-000001.csv`, `events-000002.csv` and so on.
///
/// A file is open from its first record on, under a hidden temporary name. When it is full, or its time is up, or the
/// input ends, it is finished and renamed: whoever looks into the directory sees whole files only. No file is replaced:
/// numbers go on after the highest one that is there, and a name that is taken is passed over. There is no file without
/// records.
///
/// A commit stands for every batch whose last record is in a renamed file. Rejects can't be written: they are logged and
/// counted. The sink remembers nothing between runs.
///
/// ```
/// use ecom_stream::memory::MemorySource;
/// use ecom_stream::{CsvDirSink, Event, EventType, SourceExt};
/// use time::macros::datetime;
/// use uuid::Uuid;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let event = Event::new(Uuid::nil(), datetime!(2026-11-01 12:00 UTC), EventType::View, "u1", "s1", "p1");
/// let sink = CsvDirSink::new(dir.path()).max_rows(10_000);
/// MemorySource::new("events", vec![event]).to(sink).run().await?;
/// assert!(dir.path().join("events-000001.csv").exists());
/// # Ok(()) }
/// ```
#[must_use = "a sink does nothing until a pipeline into it runs"]
pub struct CsvDirSink<T> {
    dir: PathBuf,
    prefix: String,
    max_rows: u64,
    roll_every: Option<RangeInclusive<Duration>>,
    roll_seed: u64,
    sync: bool,
    next_sequence: u64,
    _records: PhantomData<fn(T)>,
}

impl<T> CsvDirSink<T> {
    /// A sink into `dir`, which is created if it is missing. A new file every 1 to 3 seconds, of any number of rows.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            prefix: "events".to_owned(),
            max_rows: u64::MAX,
            roll_every: Some(Duration::from_secs(1)..=Duration::from_secs(3)),
            roll_seed: 0,
            sync: false,
            next_sequence: 1,
            _records: PhantomData,
        }
    }

    /// What the names of the files begin with, in place of `events`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Finishes a file when it has this many records; at least 1.
    pub fn max_rows(mut self, rows: u64) -> Self {
        self.max_rows = rows.max(1);
        self
    }

    /// Finishes a file a while after its first record, drawn anew for each file from this range; with `None` only when
    /// it is full.
    pub fn roll_every(mut self, range: impl Into<Option<RangeInclusive<Duration>>>) -> Self {
        self.roll_every = range.into();
        self
    }

    /// The seed for drawing from [`roll_every`](Self::roll_every), in place of 0.
    pub fn roll_seed(mut self, seed: u64) -> Self {
        self.roll_seed = seed;
        self
    }

    /// Whether a file and its name are forced to disk before its commit, so that they outlive a power failure; off
    /// unless asked for, since it costs milliseconds a file. On a network file system it also makes sure that a reader
    /// elsewhere never finds a renamed file that still lacks content.
    pub fn sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }
}

impl<T> fmt::Debug for CsvDirSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvDirSink")
            .field("dir", &self.dir)
            .field("prefix", &self.prefix)
            .field("max_rows", &self.max_rows)
            .field("roll_every", &self.roll_every)
            .field("sync", &self.sync)
            .finish_non_exhaustive()
    }
}

impl<T: ToCsv + Send + Sync + 'static> Sink<T> for CsvDirSink<T> {
    async fn ledger(&mut self, _: &Topology) -> Result<Checkpoint> {
        if let Some(range) = self.roll_every.as_ref().filter(|range| range.is_empty()) {
            let message = format!("no time lies between {:?} and {:?}", range.start(), range.end());
            return Err(Error::new(ErrorKind::Configuration, message).hint("the shorter time goes first"));
        }
        let names = FileNames::new(&self.dir, &self.prefix)?;
        let highest = blocking(move || {
            names.create_dir()?;
            AtomicFile::remove_left_overs(&names)?;
            names.highest_sequence()
        });
        self.next_sequence = highest.await?.saturating_add(1);
        Ok(Arc::new(EmptyLedger::new(self.prefix.clone())))
    }

    fn commit(self, input: impl BatchStream<T> + 'static) -> impl Stream<Item = Result<Commit>> + Send {
        try_stream! {
            let names = FileNames::new(&self.dir, &self.prefix)?;
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.roll_seed);
            let mut input = std::pin::pin!(input);
            let mut sequence = self.next_sequence;
            let mut open: Option<OpenFile> = None;
            let mut done = Done::default();
            let mut row = ByteRecord::new();
            let failed = loop {
                let next = match open.as_ref().and_then(OpenFile::roll_at) {
                    None => Next::Input(input.next().await),
                    Some(roll_at) => tokio::select! {
                        biased;
                        () = sleep_until(roll_at) => Next::Roll,
                        batch = input.next() => Next::Input(batch),
                    },
                };
                match next {
                    Next::Roll => {}
                    Next::Input(None) => break None,
                    Next::Input(Some(Err(err))) => break Some(err),
                    Next::Input(Some(Ok(batch))) => {
                        let mut of_batch = Some(Done::of(&batch));
                        let mut records = batch.records.into_iter();
                        while let Some(record) = records.next() {
                            let mut file = match open.take() {
                                Some(file) => file,
                                None => {
                                    let roll_at = self.roll_every.clone().map(|range| Instant::now() + rng.random_range(range));
                                    OpenFile::create(&names, sequence, T::COLUMNS, roll_at).await?
                                }
                            };
                            row.clear();
                            record.value.to_csv(&mut row);
                            file.write(&row).await?;
                            if records.len() == 0 && let Some(of_batch) = of_batch.take() {
                                done.add(of_batch);
                            }
                            if file.rows() < self.max_rows {
                                open = Some(file);
                                continue;
                            }
                            sequence = file.finish(&names, self.sync).await? + 1;
                            if let Some(commit) = done.commit() {
                                yield commit;
                            }
                        }
                        if let Some(of_batch) = of_batch {
                            done.add(of_batch);
                        }
                        // Without an open file, what a batch without records says is durable at once.
                        if open.is_some() {
                            continue;
                        }
                    }
                }
                if let Some(file) = open.take() {
                    sequence = file.finish(&names, self.sync).await? + 1;
                }
                if let Some(commit) = done.commit() {
                    yield commit;
                }
            };
            if let Some(file) = open.take() {
                file.finish(&names, self.sync).await?;
            }
            if let Some(commit) = done.commit() {
                yield commit;
            }
            if let Some(err) = failed {
                Err(err)?;
            }
        }
    }
}

enum Next<T> {
    Roll,
    Input(Option<Result<Batch<T>>>),
}

/// What has been written since the last commit, as whole batches.
#[derive(Default)]
struct Done {
    epoch: u64,
    positions: Vec<Position>,
    counts: Counts,
    bytes: u64,
    times: Times,
}

impl Done {
    fn of<T>(batch: &Batch<T>) -> Self {
        if !batch.rejects.is_empty() {
            tracing::warn!(
                rejects = batch.rejects.len(),
                first = %batch.rejects[0].refusal,
                "records that can't be used are left out: a CSV directory has no place for them"
            );
        }
        Self {
            epoch: 0,
            positions: batch.positions.clone(),
            counts: Counts::of(batch),
            bytes: batch.bytes as u64,
            times: batch.times,
        }
    }

    fn add(&mut self, batch: Self) {
        self.counts += batch.counts;
        self.bytes += batch.bytes;
        self.times.merge(&batch.times);
        for position in batch.positions {
            match self.positions.iter_mut().find(|known| known.split == position.split) {
                Some(known) => *known = position,
                None => self.positions.push(position),
            }
        }
    }

    fn commit(&mut self) -> Option<Commit> {
        if self.positions.is_empty() && self.counts == Counts::default() {
            return None;
        }
        self.epoch += 1;
        let mut commit = Commit::new(self.epoch);
        commit.positions = std::mem::take(&mut self.positions);
        commit.counts = std::mem::take(&mut self.counts);
        commit.bytes = std::mem::take(&mut self.bytes);
        commit.times = std::mem::take(&mut self.times);
        Some(commit)
    }
}

#[cfg(test)]
mod tests;
