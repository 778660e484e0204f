//! The CSV directory sink.

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

use super::open_file::{OpenFile, blocking};
use crate::connectors::atomic_file::AtomicFile;
use crate::connectors::file_names::FileNames;
use crate::contract::{
    Batch, BatchStream, Checkpoint, Commit, Counts, EmptyLedger, Error, ErrorKind, Position, Result, Sink, Times,
    Topology,
};
use crate::csv::ToCsv;

/// A sink that writes records into CSV files of a directory: `events-000001.csv`, `events-000002.csv` and so on.
///
/// A file is created with its first record, under a hidden temporary name. It is renamed when it is full, when its time is
/// over, or when the input ends. So a reader of the directory only sees complete files, and no file is without records. No
/// file is replaced: the numbers go on after the highest one in the directory, and a name that is taken is skipped.
///
/// A commit covers every batch whose last record is in a renamed file. Rejects are not written, but logged and counted.
///
/// The sink keeps no ledger: a pipeline that is run again reads its input from the start, and writes it again.
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
    /// A sink into `dir`, which is created if it is missing. It begins a new file every 1 to 3 seconds, whatever the number of
    /// records.
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

    /// Sets what the names of the files begin with, instead of `events`.
    ///
    /// Several sinks can write into one directory if their prefixes differ. An empty prefix, and one that starts with a dot or
    /// contains a slash, is an error when the pipeline starts.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Finishes a file when it has this many records. At least 1; the default is no limit.
    ///
    /// ```
    /// use ecom_stream::memory::MemorySource;
    /// use ecom_stream::{CsvDirSink, Event, EventType, SourceExt};
    /// use time::macros::datetime;
    /// use uuid::Uuid;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// let at = datetime!(2026-11-01 12:00 UTC);
    /// let events = (0..5).map(|n| Event::new(Uuid::from_u128(n), at, EventType::View, "u1", "s1", "p1"));
    /// let sink = CsvDirSink::new(dir.path()).max_rows(2).roll_every(None);
    /// MemorySource::new("events", events.collect()).to(sink).run().await?;
    /// // Files of 2, 2 and 1 records.
    /// assert_eq!(std::fs::read_dir(dir.path())?.count(), 3);
    /// # Ok(()) }
    /// ```
    pub fn max_rows(mut self, rows: u64) -> Self {
        self.max_rows = rows.max(1);
        self
    }

    /// Finishes a file after a time from this range, counted from its first record and drawn anew for each file. With `None` a
    /// file is finished when it is full, or when the input ends.
    ///
    /// ```
    /// # use ecom_stream::{CsvDirSink, Event};
    /// # use std::time::Duration;
    /// let a_file_a_minute = CsvDirSink::<Event>::new("data").roll_every(Duration::from_secs(60)..=Duration::from_secs(60));
    /// let full_files_only = CsvDirSink::<Event>::new("data").roll_every(None).max_rows(100_000);
    /// ```
    pub fn roll_every(mut self, range: impl Into<Option<RangeInclusive<Duration>>>) -> Self {
        self.roll_every = range.into();
        self
    }

    /// Sets the seed for the times of [`roll_every`](Self::roll_every), instead of 0. The same seed gives the same times.
    pub fn roll_seed(mut self, seed: u64) -> Self {
        self.roll_seed = seed;
        self
    }

    /// Whether each file is written to disk before its commit, so that it survives a power failure. The default is `false`,
    /// since it takes milliseconds per file. On a network file system it also keeps readers on other machines from finding a
    /// renamed file whose content has not arrived.
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
            let message = format!(
                "`roll_every` has an empty range: {:?} to {:?}",
                range.start(),
                range.end()
            );
            return Err(Error::new(ErrorKind::Configuration, message).hint("put the shorter time first"));
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
            let mut pending = PendingCommit::default();
            let mut row = ByteRecord::new();
            let failed = loop {
                let next = match open.as_ref().and_then(OpenFile::roll_at) {
                    None => SinkEvent::Input(input.next().await),
                    Some(roll_at) => tokio::select! {
                        biased;
                        () = sleep_until(roll_at) => SinkEvent::Roll,
                        batch = input.next() => SinkEvent::Input(batch),
                    },
                };
                match next {
                    SinkEvent::Roll => {}
                    SinkEvent::Input(None) => break None,
                    SinkEvent::Input(Some(Err(err))) => break Some(err),
                    SinkEvent::Input(Some(Ok(batch))) => {
                        let mut of_batch = Some(PendingCommit::of(&batch));
                        let mut records = batch.records.into_iter();
                        while let Some(record) = records.next() {
                            let columns = record.value.columns();
                            // A record with more columns than the file begins another one.
                            if let Some(file) = open.take_if(|file| file.columns() < columns.len()) {
                                sequence = file.finish(&names, self.sync).await? + 1;
                                if let Some(commit) = pending.commit() {
                                    yield commit;
                                }
                            }
                            let mut file = match open.take() {
                                Some(file) => file,
                                None => {
                                    let roll_at = self.roll_every.clone().map(|range| Instant::now() + rng.random_range(range));
                                    OpenFile::create(&names, sequence, columns, roll_at).await?
                                }
                            };
                            row.clear();
                            record.value.to_csv(&mut row);
                            for _ in columns.len()..file.columns() {
                                row.push_field(b"");
                            }
                            file.write(&row).await?;
                            if records.len() == 0 && let Some(of_batch) = of_batch.take() {
                                pending.add(of_batch);
                            }
                            if file.rows() < self.max_rows {
                                open = Some(file);
                                continue;
                            }
                            sequence = file.finish(&names, self.sync).await? + 1;
                            if let Some(commit) = pending.commit() {
                                yield commit;
                            }
                        }
                        if let Some(of_batch) = of_batch {
                            pending.add(of_batch);
                        }
                        // Without an open file, a batch without records is durable at once.
                        if open.is_some() {
                            continue;
                        }
                    }
                }
                if let Some(file) = open.take() {
                    sequence = file.finish(&names, self.sync).await? + 1;
                }
                if let Some(commit) = pending.commit() {
                    yield commit;
                }
            };
            if let Some(file) = open.take() {
                file.finish(&names, self.sync).await?;
            }
            if let Some(commit) = pending.commit() {
                yield commit;
            }
            if let Some(err) = failed {
                Err(err)?;
            }
        }
    }
}

/// What the loop of the sink waits for.
enum SinkEvent<T> {
    /// The time of the open file is over.
    Roll,
    /// The input gave a batch or an error, or has ended.
    Input(Option<Result<Batch<T>>>),
}

/// The sums over the batches that were written since the last commit.
#[derive(Default)]
struct PendingCommit {
    epoch: u64,
    positions: Vec<Position>,
    counts: Counts,
    bytes: u64,
    times: Times,
}

impl PendingCommit {
    /// The sums over one batch. Logs its rejects, which are not written.
    fn of<T>(batch: &Batch<T>) -> Self {
        if !batch.rejects.is_empty() {
            tracing::warn!(
                rejects = batch.rejects.len(),
                first = %batch.rejects[0].refusal,
                "these rejects are not written: a CSV directory has no place for them"
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

    /// Adds a batch.
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

    /// Takes the sums as a commit with the next epoch; `None` if there is nothing to commit.
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
