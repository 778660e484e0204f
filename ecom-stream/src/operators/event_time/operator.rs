use std::sync::Arc;
use std::time::Duration;

use super::timestamp::micros;
use super::watermarks::{EntryKey, WatermarkStrategy, Watermarks};
use crate::contract::{
    BatchStream, Checkpoint, Origin, Position, Record, Result, Split, SplitState, StateChange, Topology, Transform,
};
use crate::operators::event_time::{Timed, Timestamp};
use crate::operators::state::{Changes, Operator, Output, decode_key, decode_value, run};

/// Reads the event time off each record and keeps the watermark; see [`SourceExt::event_time`](crate::SourceExt::event_time).
///
/// # The rule
///
/// Each split that is being read has a watermark of its own, its newest event less the lateness. The watermark is the
/// minimum of these, and never goes back. It follows from the records and their order alone, not from a clock, nor from how
/// they were cut into batches, so that a run that was cut, or is repeated, gives the same.
///
/// - **Files that are read one after the other** count while they are read. One that was read to its end (finished,
///   damaged or set aside) leaves, after its last record; so of a backlog that is read in order none runs ahead of the next,
///   as long as the next has nothing older than the end of the one before, less the lateness.
/// - **Files that overlap in time**, as when several producers write one an hour each, are the exception: read one after the
///   other, the first would make the others late. With [`by_first_of_split`](Self::by_first_of_split) a file counts by its first
///   record, and moves the watermark only when the next begins.
/// - **Splits that are read in parallel**, from sources that were [merged](crate::SourceExt::merge) or partitions, hold each
///   other back: none makes late what is behind in another. Only before its first record a split can't.
/// - **Sources that were merged** are waited for: the watermark stands at the beginning of time until each has had a record, in
///   the first run of the pipeline, or is idle.
/// - **Between two files of a source** the source stands where the last one ended, and holds back others that were
///   [merged](crate::SourceExt::merge) with it until its next file begins. So do two directories that are read in turns.
/// - **Idle splits**, and sources, hold nothing back: one without a record while the others got ahead by
///   [`idle_after`](Self::idle_after). That is measured in their event time *and* in their records, for in a backlog hours of
///   event time pass between two turns of a split that is not idle at all. When nothing comes from any split, event time stands
///   still.
///
/// Records without an origin, such as results of windows, count as one split.
///
/// After the [last run](crate::Pipeline::last_run) the watermark is at the end of time: whatever is read in spite of it is late,
/// in every later run. A warning in the log says so.
///
/// One event from the future would move the watermark past all others, which are late then: what can't be true is to be kept out
/// before, as [`Rules`](crate::Rules) do.
///
/// A batch with records of several splits counts one that it finishes from behind its last record there, or from the start
/// of the batch where it has none.
///
/// # Cost
///
/// State has an entry of some 40 bytes for each split that is being read, one for each source, and one for all; a batch writes
/// those of the splits it has records of.
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
    /// Takes the time of a record from `time`, and expects no record that is older than its newest by more than `lateness`.
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

    /// The name under which it keeps its state, in place of `event_time`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Whether only the first record of each split moves the watermark, so that it follows the splits as they begin; `false`
    /// unless it is set.
    ///
    /// For files that are finished soon, overlap in time and are read one after the other in the order of their beginnings. A
    /// split that never ends would hold the watermark for ever.
    #[must_use]
    pub fn by_first_of_split(mut self, by_first: bool) -> Self {
        self.by_first = by_first;
        self
    }

    /// A split is idle when, since its last record, the newest event of the others got ahead by more than `lead` and more than
    /// `records` have come; one minute and 10,000. Set `records` to several batches of each of the other splits.
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

struct EventTimeOperator<F> {
    time: F,
    name: Arc<str>,
    watermarks: Watermarks,
}

/// Kind, source, path and generation.
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
                "the last run of this pipeline has ended: whatever it reads from now on is late. \
                 To go on after it, give the operator another name, and do without `last_run`"
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

/// The splits that a batch ends, each with its last record there.
struct SplitEnds {
    /// From the last to the first.
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

    /// Gives those whose last record is the one at `at`; `None` for those without one.
    fn take_after(&mut self, at: Option<usize>, mut leaves: impl FnMut(&Split)) {
        while self.splits.last().is_some_and(|(last, _)| *last == at) {
            if let Some((_, split)) = self.splits.pop() {
                leaves(&split);
            }
        }
    }
}
