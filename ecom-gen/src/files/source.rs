use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use ecom_stream::{
    Batch, BatchStream, Checkpoint, Mark, Origin, Position, Record, Result, Source, Split, SplitState, Topology,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use super::cut::{Cutter, PartNumber, Piece, Progress, Rules, Start};
use super::encode::Encoder;
use super::lost::Lost;
use super::{FilePart, FilePlan};
use crate::dirt::Dirt;
use crate::moment::micros;
use crate::pace::{Clock, Now};
use crate::place::{Place, Places};
use crate::source::open;
use crate::timeline::slices;
use crate::{Pace, ShopBuilder};

/// After so long without a file a live source sends an empty batch.
const IDLE: Duration = Duration::from_secs(1);
/// Larger parts are not faster to write.
const PART_BYTES: usize = 256 << 10;
/// 10000-01-01: later times have no place in RFC 3339.
const END_OF_TIME_MICROS: i64 = 253_402_300_800_000_000;

/// A [`Source`] of the CSV files of a [`Shop`](crate::Shop), as bytes.
///
/// Its one split is `seed=N`, its offsets count rows and its records are the parts of files. It resumes after any of them, as
/// long as the shop, the plan and all that is wrong with the files are the same.
///
/// ```
/// use ecom_gen::{FilePlan, FilesSink, Pace, Shop, ShopFiles};
/// use ecom_stream::SourceExt;
/// use time::macros::datetime;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let shop = Shop::builder(42, datetime!(2026-11-23 09:00 UTC)).products(500);
/// let files = ShopFiles::new(shop).plan(FilePlan::default().every(None).max_rows(1_000));
/// let summary = files.pace(Pace::AsFastAsPossible).events(2_500).to(FilesSink::new(dir.path())).run().await?;
/// assert!(summary.counts.stored >= 2_500); // rows: some events are sent twice
/// assert!(dir.path().join("events-000003.csv").exists());
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a source does nothing until a pipeline from it runs"]
pub struct ShopFiles {
    name: String,
    location: String,
    shop: ShopBuilder,
    plan: FilePlan,
    pace: Pace,
    events: Option<u64>,
    until: Option<OffsetDateTime>,
    dirt: Dirt,
    truth: bool,
    part_bytes: usize,
    workers: usize,
    now: Now,
}

impl ShopFiles {
    /// The files of `shop`, live, without an end.
    pub fn new(shop: ShopBuilder) -> Self {
        Self {
            name: "files".to_owned(),
            location: "simulation".to_owned(),
            shop,
            plan: FilePlan::default(),
            pace: Pace::default(),
            events: None,
            until: None,
            dirt: Dirt::none(),
            truth: false,
            part_bytes: PART_BYTES,
            workers: 1,
            now: Arc::new(OffsetDateTime::now_utc),
        }
    }

    /// The name of the source in the pipeline, in place of `files`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Where a sink's ledger says that the source reads, in place of `simulation`.
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = location.into();
        self
    }

    /// How the rows are cut into files.
    pub fn plan(mut self, plan: FilePlan) -> Self {
        self.plan = plan;
        self
    }

    /// What is wrong with the files, in place of nothing.
    pub fn dirt(mut self, dirt: Dirt) -> Self {
        self.dirt = dirt;
        self
    }

    /// Whether the truth about each file goes with it, which a [`FilesSink`](crate::FilesSink) puts down in a
    /// [`Manifest`](crate::Manifest); not unless asked for. It takes 30 bytes of memory for each user who was seen.
    ///
    /// It counts on an ingest that refuses no time for its age. The default rules of
    /// [`ecom-stream`](ecom_stream::Rules) refuse those before the year 2000 and more than a day ahead of the clock.
    pub fn truth(mut self, truth: bool) -> Self {
        self.truth = truth;
        self
    }

    /// When files are handed out, in place of [`Pace::Live`]. With a clock each ends when its time is over, whether
    /// another row comes or not.
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Ends after that many events, counted from the start of the shop. A copy of one that was sent before doesn't count,
    /// so there may be more rows.
    pub fn events(mut self, events: impl Into<Option<u64>>) -> Self {
        self.events = events.into();
        self
    }

    /// Ends with what leaves the shop before `until`.
    pub fn until(mut self, until: impl Into<Option<OffsetDateTime>>) -> Self {
        self.until = until.into();
        self
    }

    /// How many threads make rows at a time, in place of 1; at least 1. That changes nothing in the files.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Hands a part of a file out when it has so many bytes, in place of 256 KiB; at least
    /// 1 KiB. That changes nothing in the files.
    pub fn part_bytes(mut self, bytes: usize) -> Self {
        self.part_bytes = bytes.max(1_024);
        self
    }

    /// The clock that [`Pace::Live`] and [`Pace::Times`] go by, in place of the system's.
    pub fn clock(mut self, clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        self.now = Arc::new(clock);
        self
    }
}

impl fmt::Debug for ShopFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShopFiles")
            .field("name", &self.name)
            .field("shop", &self.shop)
            .field("plan", &self.plan)
            .field("dirt", &self.dirt)
            .field("pace", &self.pace)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

/// Where a run goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Resume {
    #[serde(flatten)]
    progress: Progress,
    /// The time of the shop.
    at_us: i64,
    /// See [`FilePlan::every_from`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every_from_us: Option<i64>,
}

impl Source for ShopFiles {
    type Item = FilePart;
    type Ack = ();

    fn describe(&self, topology: &mut Topology) {
        topology.add_source(self.name.clone(), self.location.clone());
    }

    fn check(&self) -> Result<()> {
        self.plan.check()?;
        self.dirt.check()?;
        self.shop.delivery.check()
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<FilePart>, ()) {
        let split = Split::new(self.name.clone(), format!("seed={}", self.shop.seed));
        let stream = try_stream! {
            let places = Places::of(&self.shop).and(&(self.plan.identity(), &self.dirt, self.truth, self.part_bytes));
            let known = from.positions(std::slice::from_ref(&split)).await?;
            let model = open(&self.shop).await?;
            let start_micros = micros(self.shop.start);
            let resume = match known.first() {
                None => Resume::at(model.slice_at(start_micros), start_micros, &self.plan),
                Some(position) => places.read(position)?,
            };
            let (parts, rows) = known.first().map_or((0, 0), |position| (position.record, position.offset));
            let every_from_us = resume.every_from_us;
            let mut plan = self.plan.clone();
            plan.set_every_from_micros(every_from_us);
            let mut given = Given { split, parts, rows, every_from_us };
            let rules = Rules {
                model: model.clone(),
                plan,
                dirt: self.dirt,
                truth: self.truth,
                most_events: self.events.unwrap_or(u64::MAX),
                until: self.until.map_or(END_OF_TIME_MICROS, micros).min(END_OF_TIME_MICROS),
                part_bytes: self.part_bytes,
            };
            let first = resume.progress.start.place;
            let mut cutter = Cutter::new(rules, resume.progress.start);
            let clock = Clock::start(self.pace, self.now.clone(), resume.at_us);
            let encoder = Encoder { model: model.clone(), dirt: self.dirt };
            let mut slices = pin!(slices(model.clone(), first.slice, start_micros, self.workers, move |slice, moments| {
                encoder.encode(slice, moments)
            }));
            let mut last_sent = Instant::now();
            let mut at_us = resume.at_us;
            while !cutter.has_ended() {
                let Some(encoded) = slices.next().await.transpose()? else { break };
                let slice = encoded.slice;
                cutter.pass(slice * model.slice_micros, Place { slice, index: 0 });
                let mut index = if slice == first.slice { first.index } else { 0 };
                loop {
                    while let Some(piece) = cutter.pop() {
                        if piece.progress.last <= resume.progress.last {
                            continue;
                        }
                        while clock.micros() < piece.due {
                            sleep(clock.wait(piece.due)).await;
                            if last_sent.elapsed() >= IDLE {
                                last_sent = Instant::now();
                                yield Batch::default();
                            }
                        }
                        at_us = piece.due;
                        last_sent = Instant::now();
                        yield given.batch(piece, &places);
                    }
                    if index >= encoded.len() || cutter.has_ended() {
                        break;
                    }
                    cutter.push(Place { slice, index }, encoded.row(index));
                    index += 1;
                }
            }
            let end = Resume { progress: cutter.progress(), at_us, every_from_us };
            yield given.end(places.mark(end));
        };
        (stream, ())
    }
}

impl Resume {
    /// The start of the shop.
    fn at(slice: i64, at_us: i64, plan: &FilePlan) -> Self {
        let start = Start {
            file: 1,
            place: Place { slice, index: 0 },
            events: 0,
            writes: 0,
            lost: Lost::default(),
        };
        let last = PartNumber::default();
        let progress = Progress { start, last };
        Self {
            progress,
            at_us,
            every_from_us: plan.every_from_micros(),
        }
    }
}

/// What was handed out by now.
struct Given {
    split: Split,
    parts: u64,
    rows: u64,
    every_from_us: Option<i64>,
}

impl Given {
    fn batch(&mut self, piece: Piece, places: &Places) -> Batch<FilePart> {
        let Piece {
            due,
            part,
            times,
            progress,
        } = piece;
        let origin = Origin {
            split: self.split.clone(),
            record: self.parts + 1,
            byte_offset: self.rows,
            raw: part.bytes.clone(),
        };
        self.parts += 1;
        self.rows += part.rows;
        let mark = places.mark(Resume {
            progress,
            at_us: due,
            every_from_us: self.every_from_us,
        });
        let mut batch = Batch {
            bytes: part.bytes.len(),
            positions: vec![self.position(SplitState::Open, mark)],
            ..Batch::default()
        };
        batch.count_of(&self.split).read = 1;
        batch.records.push(Record {
            value: part,
            origin: Some(origin),
        });
        let times = times.into_iter().flat_map(|(oldest, newest)| [oldest, newest]);
        for micros in times {
            if let Ok(time) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000) {
                batch.times.saw_event(time);
            }
        }
        batch
    }

    fn end(&self, mark: Mark) -> Batch<FilePart> {
        Batch {
            positions: vec![self.position(SplitState::Finished, mark)],
            ..Batch::default()
        }
    }

    fn position(&self, state: SplitState, mark: Mark) -> Position {
        Position {
            split: self.split.clone(),
            offset: self.rows,
            record: self.parts,
            state,
            mark,
        }
    }
}
