//! [`EventTime`]: takes the event time from each record and adds the watermark.

use std::sync::Arc;
use std::time::Duration;

use super::timestamp::micros;
use super::watermarks::{EntryKey, WatermarkStrategy, Watermarks};
use crate::contract::{
    BatchStream, Checkpoint, Origin, Position, Record, Result, Split, SplitState, StateChange, Topology, Transform,
};
use crate::operators::event_time::{Timed, Timestamp};
use crate::operators::state::{Changes, Operator, Output, decode_key, decode_value, run};

/// Takes the event time from each record and adds the watermark; see [`SourceExt::event_time`](crate::SourceExt::event_time).
///
/// # How the watermark is computed
///
/// Each split that is being read has a watermark of its own: the time of its newest event less the lateness. The watermark is
/// the minimum over these splits, and never goes back. It follows from the records and their order alone. Neither a clock nor
/// the cut into batches has a part in it, so a run that was interrupted or is repeated gives the same results.
///
/// - **Files that are read one after the other** count while they are read. A file that was read to its end (finished, damaged
///   or set aside) stops counting after its last record. In a backlog that is read in order no record is late, as long as each
///   file has nothing older than the end of the file before it, less the lateness.
/// - **Files that overlap in time**, as when several producers write one file an hour each, would make each other late when they
///   are read one after the other. With [`by_first_of_split`](Self::by_first_of_split) a file counts by its first record instead,
///   and so moves the watermark only when the next file begins.
/// - **Splits that are read in parallel**, from [merged](crate::SourceExt::merge) sources or from partitions, hold each other
///   back: no split makes a record of another late. The exception is a split that has not had its first record yet.
/// - **Merged sources** are waited for. In the first run of the pipeline the watermark stays at the beginning of time until each
///   source has had a record or is idle.
/// - **Between two files of a source** the source counts with the time at which its last file ended, until its next file begins.
///   So two directories that are read in turns hold each other back.
/// - **Idle splits and sources** do not count. A split is idle when it has had no record while the others got ahead by
///   [`idle_after`](Self::idle_after). That is measured both in event time and in records, because in a backlog hours of event
///   time may pass between two turns of a split that is not idle at all. When no split has records, event time stands still.
///
/// Records without an origin, such as results of windows, count as one split.
///
/// After the [last run](crate::Pipeline::last_run) the watermark is at the end of time. If the pipeline is started again, every
/// record is late, and a warning is logged at the start.
///
/// A single event with a time in the future would move the watermark past all others and make them late. Reject impossible
/// times before, as [`Rules`](crate::Rules) do for events.
///
/// A split that ends in a batch with records of several splits stops counting right after its last record in that batch; if it
/// has no record there, at the start of the batch.
///
/// # Cost
///
/// The state has an entry of some 40 bytes for each split that is being read, one for each source, and one for all splits
/// together. A batch writes the entries of the splits that it has records of.
#[derive(Debug, Clone)]
pub struct EventTime<F> {
    time: F,
    name: Arc<str>,
    lateness: Duration,
    by_first: bool,
    idle_lead: Duration,
    idle_records: u64,
}

impl<F> EventTime<F> {
    /// Takes the event time of a record from `time`. Records of a split may be older than its newest by up to `lateness`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ecom_stream::memory::{MemorySink, MemorySource};
    /// use ecom_stream::operators::EventTime;
    /// use ecom_stream::{SourceExt, Timestamp};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let seconds = |second: &i64| Timestamp::from_micros(second * 1_000_000);
    /// let event_time = EventTime::new(seconds, Duration::from_secs(30)).named("clicks");
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("seconds", vec![100, 130])
    ///     .via(event_time)
    ///     .map(|timed| timed.watermark.as_micros() / 1_000_000)
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [70, 100]);
    /// # Ok(()) }
    /// ```
    pub fn new(time: F, lateness: Duration) -> Self {
        Self {
            time,
            name: "event_time".into(),
            lateness,
            by_first: false,
            idle_lead: Duration::from_mins(1),
            idle_records: 10_000,
        }
    }

    /// Sets the name under which the state is stored. It is `event_time` unless it is set.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets whether a split counts by its first record instead of its newest, so that the watermark moves when the next split
    /// begins. `false` unless it is set.
    ///
    /// It is for files that overlap in time and are read one after the other, in the order of their first records. A split that
    /// never ends would hold the watermark back for ever.
    #[must_use]
    pub fn by_first_of_split(mut self, by_first: bool) -> Self {
        self.by_first = by_first;
        self
    }

    /// Sets when a split is idle: since its last record the newest event of the others has got ahead by more than `lead` of event
    /// time, and more than `records` records of others have come. One minute and 10,000 records unless it is set.
    ///
    /// Choose `records` such that each of the other splits can send several batches.
    #[must_use]
    pub fn idle_after(mut self, lead: Duration, records: u64) -> Self {
        self.idle_lead = lead;
        self.idle_records = records;
        self
    }
}

impl<F, In, Time> Transform<In> for EventTime<F>
where
    F: Fn(&In) -> Time + Send,
    Time: Into<Timestamp>,
    In: Send + 'static,
{
    type Out = Timed<In>;

    fn describe(&self, topology: &mut Topology) {
        topology.add_operator(&*self.name);
    }

    fn apply(self, input: impl BatchStream<In> + 'static, from: Checkpoint) -> impl BatchStream<Timed<In>> {
        let strategy = WatermarkStrategy {
            lateness: micros(self.lateness),
            by_first: self.by_first,
            idle_lead: micros(self.idle_lead),
            idle_records: self.idle_records,
        };
        let watermarks = Watermarks::new(strategy, from.sources());
        let time = self.time;
        let name = self.name.clone();
        run(EventTimeOperator { time, name, watermarks }, self.name, input, from)
    }
}

/// The state of a running [`EventTime`].
struct EventTimeOperator<F> {
    time: F,
    name: Arc<str>,
    watermarks: Watermarks,
}

/// The key of a state entry: kind, source, path and generation.
type Key = (u8, String, String, u32);

const GLOBAL: u8 = 0;
const SPLIT: u8 = 1;
const NO_SPLIT: u8 = 2;
const SOURCE: u8 = 3;

fn key(entry: &EntryKey) -> (u8, &str, &str, u32) {
    match entry {
        EntryKey::Split(Some(split)) => (SPLIT, split.source(), split.path(), split.generation()),
        EntryKey::Split(None) => (NO_SPLIT, "", "", 0),
        EntryKey::Source(source) => (SOURCE, source, "", 0),
    }
}

impl<F, In, Time> Operator<In> for EventTimeOperator<F>
where
    F: Fn(&In) -> Time + Send,
    Time: Into<Timestamp>,
    In: Send + 'static,
{
    type Out = Timed<In>;

    const FORMAT: u16 = 2;

    fn load(&mut self, entry: &StateChange) -> Result<()> {
        let (kind, source, path, generation): Key = decode_key(entry, <Self as Operator<In>>::FORMAT)?;
        let about = match kind {
            GLOBAL => {
                self.watermarks.load_global(decode_value(entry)?);
                return Ok(());
            }
            SPLIT => EntryKey::Split(Some(Split::with_generation(source, path, generation))),
            SOURCE => EntryKey::Source(source.into()),
            _ => EntryKey::Split(None),
        };
        self.watermarks.load(about, decode_value(entry)?);
        Ok(())
    }

    fn loaded(&mut self) -> Result<()> {
        self.watermarks.loaded();
        if self.watermarks.has_ended() {
            tracing::warn!(
                operator = &*self.name,
                "the last run of this pipeline has ended, so every record that it reads now is late. \
                 To go on, give the operator another name and run without `last_run`"
            );
        }
        Ok(())
    }

    fn process(&mut self, records: Vec<Record<In>>, positions: &[Position], out: &mut Output<Timed<In>>) {
        let mut ends = SplitEnds::new(&records, positions);
        out.reserve(records.len());
        ends.take_after(None, |split| self.watermarks.split_ended(split));
        for (at, Record { value, origin }) in records.into_iter().enumerate() {
            let time: Timestamp = (self.time)(&value).into();
            let split = origin.as_ref().map(|origin| &origin.split);
            let watermark = self.watermarks.record(split, time.as_micros());
            let watermark = Timestamp::from_micros(watermark);
            out.push(Timed { value, time, watermark }, origin);
            ends.take_after(Some(at), |split| self.watermarks.split_ended(split));
        }
    }

    fn save(&mut self, changes: &mut Changes<'_>) -> Result<()> {
        let changed = self.watermarks.take_changed();
        if let Some(global) = changed.global {
            changes.put(&(GLOBAL, "", "", 0_u32), &global)?;
        }
        for (entry, progress) in &changed.entries {
            match progress {
                Some(progress) => changes.put(&key(entry), progress)?,
                None => changes.delete(&key(entry))?,
            }
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Output<Timed<In>>) {
        self.watermarks.end();
    }
}

/// The splits that end in a batch, each with the index of its last record there. A split ends right after that record, not
/// with the batch, so that the watermark does not depend on how the input was cut into batches.
struct SplitEnds {
    /// In descending order of that index, so that the next one is at the end. `None` for a split without a record.
    splits: Vec<(Option<usize>, Split)>,
}

impl SplitEnds {
    fn new<In>(records: &[Record<In>], positions: &[Position]) -> Self {
        let is_of =
            |split: &Split, origin: &Option<Origin>| origin.as_ref().is_some_and(|origin| origin.split == *split);
        let ended = positions.iter().filter(|position| position.state != SplitState::Open);
        let last = |split: &Split| records.iter().rposition(|record| is_of(split, &record.origin));
        let mut splits: Vec<_> = ended
            .map(|position| (last(&position.split), position.split.clone()))
            .collect();
        splits.sort_by(|a, b| b.cmp(a));
        Self { splits }
    }

    /// Calls `leaves` with each split whose last record has the index `at`; with `None`, with each split without a record.
    fn take_after(&mut self, at: Option<usize>, mut leaves: impl FnMut(&Split)) {
        while self.splits.last().is_some_and(|(last, _)| *last == at) {
            if let Some((_, split)) = self.splits.pop() {
                leaves(&split);
            }
        }
    }
}
