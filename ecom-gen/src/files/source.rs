//! The source of a shop's files.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use async_stream::try_stream;
use ecom_stream::{
    Batch, BatchStream, Checkpoint, Mark, Origin, Position, Record, Result, Source, Split, SplitState, Topology,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use super::encode::Encoder;
use super::lost_originals::LostOriginals;
use super::part::FilePart;
use super::progress::{FileStart, PartNumber, Progress};
use super::roller::{DuePart, FileRoller};
use super::rolling_policy::RollingPolicy;
use super::settings::FileSettings;
use crate::dirt::Dirt;
use crate::micros::micros;
use crate::shop::{ShopBuilder, slices};
use crate::source::options::{SourceOptions, impl_source_options};
use crate::source::{EventPosition, PositionMarks, ShopClock, open};

/// After this long without a file, a live source sends an empty batch.
const IDLE: Duration = Duration::from_secs(1);
/// The default size of a part. Writing larger parts is not faster.
const PART_BYTES: usize = 256 << 10;
/// 10000-01-01: RFC 3339 cannot express later times.
const END_OF_TIME_MICROS: i64 = 253_402_300_800_000_000;

/// A [`Source`] of the CSV files of a [`Shop`](crate::Shop), as bytes.
///
/// It has one split, `seed=N`, whose offset is the number of rows; its records are parts of files. It can resume after
/// any part, provided that the shop, the rolling policy and the faults are the same.
///
/// A live source ends each file at its time, even if no further row comes. [`events`](Self::events) does not count
/// copies of events, so there may be more rows.
///
/// ```
/// use ecom_gen::{FilesSink, Pace, RollingPolicy, Shop, ShopFiles};
/// use ecom_stream::SourceExt;
/// use time::macros::datetime;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let shop = Shop::builder(42, datetime!(2026-11-23 09:00 UTC)).products(500);
/// let files = ShopFiles::new(shop).rolling(RollingPolicy::default().every(None).max_rows(1_000));
/// let summary = files.pace(Pace::AsFastAsPossible).events(2_500).to(FilesSink::new(dir.path())).run().await?;
/// assert!(summary.counts.stored >= 2_500); // rows: some events are sent twice
/// assert!(dir.path().join("events-000003.csv").exists());
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a source does nothing until a pipeline from it runs"]
pub struct ShopFiles {
    options: SourceOptions,
    policy: RollingPolicy,
    dirt: Dirt,
    with_manifest: bool,
    part_bytes: usize,
}

impl_source_options!(ShopFiles, name: "files");

impl ShopFiles {
    /// A source of the files of `shop`, live and without an end.
    pub fn new(shop: ShopBuilder) -> Self {
        Self {
            options: SourceOptions::new("files", shop),
            policy: RollingPolicy::default(),
            dirt: Dirt::none(),
            with_manifest: false,
            part_bytes: PART_BYTES,
        }
    }

    /// Sets when a file ends and the next one begins.
    pub fn rolling(mut self, policy: RollingPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the faults in the files. By default there are none.
    pub fn dirt(mut self, dirt: Dirt) -> Self {
        self.dirt = dirt;
        self
    }

    /// Sets whether the source counts what is in each file, so that a [`FilesSink`](crate::FilesSink) writes a
    /// [`Manifest`](crate::Manifest). It is off by default. It takes 30 bytes of memory for each user.
    ///
    /// The manifest describes an ingest that accepts events of any age. The default [`Rules`](ecom_stream::Rules) of
    /// `ecom-stream` reject events before the year 2000 and those more than a day in the future.
    pub fn manifest(mut self, manifest: bool) -> Self {
        self.with_manifest = manifest;
        self
    }

    /// Sets the size from which on a part of a file is handed out, at least 1 KiB. The default is 256 KiB. The content
    /// of the files does not depend on it.
    pub fn part_bytes(mut self, bytes: usize) -> Self {
        self.part_bytes = bytes.max(1_024);
        self
    }
}

impl fmt::Debug for ShopFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShopFiles")
            .field("name", &self.options.name)
            .field("shop", &self.options.shop)
            .field("policy", &self.policy)
            .field("dirt", &self.dirt)
            .field("pace", &self.options.pace)
            .field("events", &self.options.events)
            .finish_non_exhaustive()
    }
}

/// Where a run resumes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Resume {
    #[serde(flatten)]
    progress: Progress,
    /// The shop's time, in microseconds since the Unix epoch.
    at_us: i64,
    /// See [`RollingPolicy::every_from`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every_from_us: Option<i64>,
}

impl Source for ShopFiles {
    type Item = FilePart;
    type Ack = ();

    fn describe(&self, topology: &mut Topology) {
        self.options.describe(topology);
    }

    fn check(&self) -> Result<()> {
        self.policy.check()?;
        self.dirt.check()?;
        self.options.shop.delivery.check()
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<FilePart>, ()) {
        let split = self.options.split();
        let stream = try_stream! {
            let file_options = (self.policy.identity(), &self.dirt, self.with_manifest, self.part_bytes);
            let marks = PositionMarks::of(&self.options.shop).with(&file_options);
            let known = from.positions(std::slice::from_ref(&split)).await?;
            let model = open(&self.options.shop).await?;
            let start_micros = micros(self.options.shop.start);
            let resume = match known.first() {
                None => Resume::at(model.slice_at(start_micros), start_micros, &self.policy),
                Some(position) => marks.decode(position)?,
            };
            let (parts, rows) = known.first().map_or((0, 0), |position| (position.record, position.offset));
            let every_from_us = resume.every_from_us;
            let mut policy = self.policy.clone();
            policy.set_every_from_micros(every_from_us);
            let mut batches = BatchBuilder { split, parts, rows, every_from_us };
            let settings = FileSettings {
                model: model.clone(),
                policy,
                dirt: self.dirt,
                with_manifest: self.with_manifest,
                max_events: self.options.events.unwrap_or(u64::MAX),
                until: self.options.until.map_or(END_OF_TIME_MICROS, micros).min(END_OF_TIME_MICROS),
                part_bytes: self.part_bytes,
            };
            let first = resume.progress.start.first_row;
            let mut roller = FileRoller::new(settings, resume.progress.start);
            let clock = ShopClock::start(self.options.pace, self.options.now.clone(), resume.at_us);
            let encoder = Encoder { model: model.clone(), dirt: self.dirt };
            let encode = move |slice, events| encoder.encode(slice, events);
            let slices = slices(model.clone(), first.slice, start_micros, self.options.workers, encode);
            let mut slices = pin!(slices);
            let mut last_sent = Instant::now();
            let mut at_us = resume.at_us;
            while !roller.has_ended() {
                let Some(encoded) = slices.next().await.transpose()? else { break };
                let slice = encoded.slice;
                roller.pass(slice * model.slice_micros, EventPosition { slice, index: 0 });
                let mut index = if slice == first.slice { first.index } else { 0 };
                loop {
                    while let Some(due_part) = roller.pop() {
                        if due_part.progress.last <= resume.progress.last {
                            continue;
                        }
                        while clock.micros() < due_part.due {
                            sleep(clock.wait(due_part.due)).await;
                            if last_sent.elapsed() >= IDLE {
                                last_sent = Instant::now();
                                yield Batch::default();
                            }
                        }
                        at_us = due_part.due;
                        last_sent = Instant::now();
                        yield batches.batch(due_part, &marks);
                    }
                    if index >= encoded.len() || roller.has_ended() {
                        break;
                    }
                    roller.push(EventPosition { slice, index }, encoded.row(index));
                    index += 1;
                }
            }
            let end = Resume { progress: roller.progress(), at_us, every_from_us };
            yield batches.end(marks.encode(end));
        };
        (stream, ())
    }
}

impl Resume {
    /// The start of the shop.
    fn at(slice: i64, at_us: i64, policy: &RollingPolicy) -> Self {
        let start = FileStart {
            file: 1,
            first_row: EventPosition { slice, index: 0 },
            events: 0,
            writes: 0,
            lost: LostOriginals::default(),
        };
        let last = PartNumber::default();
        let progress = Progress { start, last };
        Self {
            progress,
            at_us,
            every_from_us: policy.every_from_micros(),
        }
    }
}

/// Builds batches, and counts what they have handed out.
struct BatchBuilder {
    split: Split,
    parts: u64,
    rows: u64,
    every_from_us: Option<i64>,
}

impl BatchBuilder {
    fn batch(&mut self, due_part: DuePart, marks: &PositionMarks) -> Batch<FilePart> {
        let DuePart {
            due,
            part,
            times,
            progress,
        } = due_part;
        let origin = Origin::new(self.split.clone(), self.parts + 1, self.rows, part.bytes.clone());
        self.parts += 1;
        self.rows += part.rows;
        let mark = marks.encode(Resume {
            progress,
            at_us: due,
            every_from_us: self.every_from_us,
        });
        let mut batch = Batch::new(Vec::new())
            .with_bytes(part.bytes.len())
            .with_positions(vec![self.position(SplitState::Open, mark)]);
        batch.count_of(&self.split).read = 1;
        batch.records.push(Record::new(part, Some(origin)));
        let times = times.into_iter().flat_map(|(oldest, newest)| [oldest, newest]);
        for micros in times {
            if let Ok(time) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000) {
                batch.times.saw_event(time);
            }
        }
        batch
    }

    fn end(&self, mark: Mark) -> Batch<FilePart> {
        Batch::new(Vec::new()).with_positions(vec![self.position(SplitState::Finished, mark)])
    }

    fn position(&self, state: SplitState, mark: Mark) -> Position {
        Position::new(self.split.clone(), self.rows, self.parts)
            .with_state(state)
            .with_mark(mark)
    }
}
