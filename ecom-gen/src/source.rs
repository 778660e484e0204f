use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use bytes::Bytes;
use ecom_stream::{
    Batch, BatchStream, Checkpoint, Error, ErrorKind, Event, Mark, Origin, Position, Record, Result, Source, Split,
    SplitState, Topology,
};
use futures::StreamExt;
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::model::Model;
use crate::moment::Moment;
use crate::moment::micros;
use crate::pace::{Clock, Now};
use crate::place::{Place, Places};
use crate::timeline::{in_order, slices};
use crate::{Pace, ShopBuilder};

/// After so long without an event a live source sends an empty batch.
const IDLE: Duration = Duration::from_secs(1);
/// What an event takes in a CSV file, about.
const EVENT_BYTES: usize = 180;

/// A [`Source`] of the events of a [`Shop`](crate::Shop).
///
/// Its one split is `seed=N`, its offsets count events. It resumes after any of them, as long as the shop is the same.
#[derive(Clone)]
#[must_use = "a source does nothing until a pipeline from it runs"]
pub struct ShopSource {
    name: String,
    location: String,
    shop: ShopBuilder,
    pace: Pace,
    events: Option<u64>,
    until: Option<OffsetDateTime>,
    max_batch_rows: usize,
    workers: usize,
    now: Now,
}

impl ShopSource {
    /// The events of `shop`, live, without an end.
    pub fn new(shop: ShopBuilder) -> Self {
        Self {
            name: "shop".to_owned(),
            location: "simulation".to_owned(),
            shop,
            pace: Pace::default(),
            events: None,
            until: None,
            max_batch_rows: 1_024,
            workers: 1,
            now: Arc::new(OffsetDateTime::now_utc),
        }
    }

    /// The name of the source in the pipeline, in place of `shop`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Where a sink's ledger says that the source reads, in place of `simulation`.
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = location.into();
        self
    }

    /// When events are handed out, in place of [`Pace::Live`].
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Ends after that many events, counted from the start of the shop.
    pub fn events(mut self, events: impl Into<Option<u64>>) -> Self {
        self.events = events.into();
        self
    }

    /// Ends with what leaves the shop before `until`.
    pub fn until(mut self, until: impl Into<Option<OffsetDateTime>>) -> Self {
        self.until = until.into();
        self
    }

    /// How many threads make events at a time, in place of 1; at least 1. That changes nothing in the events.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Puts at most `rows` events into a batch, in place of 1,024; at least 1.
    pub fn max_batch_rows(mut self, rows: usize) -> Self {
        self.max_batch_rows = rows.max(1);
        self
    }

    /// The clock that [`Pace::Live`] and [`Pace::Times`] go by, in place of the system's.
    pub fn clock(mut self, clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        self.now = Arc::new(clock);
        self
    }
}

impl fmt::Debug for ShopSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShopSource")
            .field("name", &self.name)
            .field("shop", &self.shop)
            .field("pace", &self.pace)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl Source for ShopSource {
    type Item = Event;
    type Ack = ();

    fn describe(&self, topology: &mut Topology) {
        topology.add_source(self.name.clone(), self.location.clone());
    }

    fn check(&self) -> Result<()> {
        self.shop.delivery.check()
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<Event>, ()) {
        let split = Split::new(self.name.clone(), format!("seed={}", self.shop.seed));
        let stream = try_stream! {
            let places = Places::of(&self.shop);
            let known = from.positions(std::slice::from_ref(&split)).await?;
            let (mut done, mut place) = match known.first() {
                None => (0, None),
                Some(position) => (position.record, Some(places.read(position)?)),
            };
            let end = self.events.unwrap_or(u64::MAX);
            if done >= end {
                return;
            }
            let model = open(&self.shop).await?;
            let start = micros(self.shop.start);
            let until = self.until.map_or(i64::MAX, micros);
            let first = place.map_or(model.slice_at(start), |place: Place| place.slice);
            let clock = Clock::start(self.pace, self.now.clone(), start.max(first * model.slice_micros));
            let mut slices = pin!(slices(model.clone(), first, start, self.workers, move |slice, moments| {
                (slice, in_order(moments))
            }));
            let mut last_sent = Instant::now();
            while let Some((slice, moments)) = slices.next().await.transpose()? {
                let mut at = place.take().map_or(0, |place| place.index.min(moments.len()));
                let mut finished = slice * model.slice_micros >= until;
                while at < moments.len() || finished {
                    let due = clock.micros().min(until - 1);
                    let most = (end - done).min(self.max_batch_rows as u64) as usize;
                    let due = moments[at..].iter().take(most).take_while(|moment| moment.delivered <= due).count();
                    let records = spell(&model, &moments[at..at + due], &split, done);
                    finished |= records.len() < due || moments.get(at).is_some_and(|moment| moment.delivered >= until);
                    at += records.len();
                    done += records.len() as u64;
                    finished |= done == end;
                    if !records.is_empty() || finished {
                        let mark = places.mark(Place { slice, index: at });
                        last_sent = Instant::now();
                        yield batch(records, &split, done, finished, mark);
                    } else if last_sent.elapsed() >= IDLE {
                        last_sent = Instant::now();
                        yield Batch::default();
                    }
                    if finished {
                        return;
                    }
                    if let Some(next) = moments.get(at) && due < most {
                        let wait = clock.wait(next.delivered);
                        if next.delivered > clock.micros() {
                            sleep(wait).await;
                        }
                    }
                }
            }
        };
        (stream, ())
    }
}

/// Makes the model away from the threads that mustn't wait.
pub(crate) async fn open(shop: &ShopBuilder) -> Result<Arc<Model>> {
    let shop = shop.clone();
    let opened = spawn_blocking(move || Arc::new(Model::new(&shop))).await;
    opened.map_err(|err| Error::new(ErrorKind::Panicked, "opening the shop panicked or was given up").caused_by(err))
}

/// The events of the moments, as long as they can be spelled out.
fn spell(model: &Model, moments: &[Moment], split: &Split, done: u64) -> Vec<Record<Event>> {
    let records = (done..).zip(moments).map_while(|(done, moment)| {
        let origin = Origin {
            split: split.clone(),
            record: done + 1,
            byte_offset: done,
            raw: Bytes::new(),
        };
        let value = model.event(moment)?;
        Some(Record {
            value,
            origin: Some(origin),
        })
    });
    records.collect()
}

fn batch(records: Vec<Record<Event>>, split: &Split, done: u64, finished: bool, mark: Mark) -> Batch<Event> {
    let mut batch = Batch {
        bytes: records.len() * EVENT_BYTES,
        positions: vec![Position {
            split: split.clone(),
            offset: done,
            record: done,
            state: if finished {
                SplitState::Finished
            } else {
                SplitState::Open
            },
            mark,
        }],
        ..Batch::default()
    };
    batch.count_of(split).read = records.len() as u64;
    for record in &records {
        batch.times.saw_event(record.value.event_time);
    }
    batch.records = records;
    batch
}

#[cfg(test)]
mod tests;
