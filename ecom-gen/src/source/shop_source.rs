//! The source of a shop's events.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use async_stream::try_stream;
use bytes::Bytes;
use ecom_stream::{
    Batch, BatchStream, Checkpoint, Event, Mark, Origin, Position, Record, Result, Source, Split, SplitState, Topology,
};
use futures::StreamExt;
use tokio::time::{Instant, sleep};

use super::open::open;
use super::options::{SourceOptions, impl_source_options};
use super::pace::ShopClock;
use super::position::{EventPosition, PositionMarks};
use crate::micros::micros;
use crate::shop::{Model, ShopBuilder, SimulatedEvent, slices, sort_by_delivery};

/// After this long without an event, a live source sends an empty batch.
const IDLE: Duration = Duration::from_secs(1);
/// The approximate size of an event in a CSV file.
const EVENT_BYTES: usize = 180;

/// A [`Source`] of the events of a [`Shop`](crate::Shop).
///
/// It has one split, `seed=N`, whose offset is the number of events. It can resume after any event, provided that the
/// shop is the same.
#[derive(Clone)]
#[must_use = "a source does nothing until a pipeline from it runs"]
pub struct ShopSource {
    options: SourceOptions,
    max_batch_rows: usize,
}

impl_source_options!(ShopSource, name: "shop");

impl ShopSource {
    /// A source of the events of `shop`, live and without an end.
    pub fn new(shop: ShopBuilder) -> Self {
        Self {
            options: SourceOptions::new("shop", shop),
            max_batch_rows: 1_024,
        }
    }

    /// Sets the largest number of events in a batch, at least 1. The default is 1,024.
    pub fn max_batch_rows(mut self, rows: usize) -> Self {
        self.max_batch_rows = rows.max(1);
        self
    }
}

impl fmt::Debug for ShopSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShopSource")
            .field("name", &self.options.name)
            .field("shop", &self.options.shop)
            .field("pace", &self.options.pace)
            .field("events", &self.options.events)
            .finish_non_exhaustive()
    }
}

impl Source for ShopSource {
    type Item = Event;
    type Ack = ();

    fn describe(&self, topology: &mut Topology) {
        self.options.describe(topology);
    }

    fn check(&self) -> Result<()> {
        self.options.shop.delivery.check()
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<Event>, ()) {
        let split = self.options.split();
        let stream = try_stream! {
            let marks = PositionMarks::of(&self.options.shop);
            let known = from.positions(std::slice::from_ref(&split)).await?;
            let (mut done, mut next_event) = match known.first() {
                None => (0, None),
                Some(position) => (position.record, Some(marks.decode(position)?)),
            };
            let end = self.options.events.unwrap_or(u64::MAX);
            if done >= end {
                return;
            }
            let model = open(&self.options.shop).await?;
            let start = micros(self.options.shop.start);
            let until = self.options.until.map_or(i64::MAX, micros);
            let first = next_event.map_or(model.slice_at(start), |next_event: EventPosition| next_event.slice);
            let clock_start = start.max(first * model.slice_micros);
            let clock = ShopClock::start(self.options.pace, self.options.now.clone(), clock_start);
            let mut slices = pin!(slices(model.clone(), first, start, self.options.workers, move |slice, events| {
                (slice, sort_by_delivery(events))
            }));
            let mut last_sent = Instant::now();
            while let Some((slice, events)) = slices.next().await.transpose()? {
                let mut at = next_event.take().map_or(0, |next_event| next_event.index.min(events.len()));
                let mut finished = slice * model.slice_micros >= until;
                while at < events.len() || finished {
                    let due = clock.micros().min(until - 1);
                    let most = (end - done).min(self.max_batch_rows as u64) as usize;
                    let due = events[at..].iter().take(most).take_while(|event| event.delivered <= due).count();
                    let records = records_of(&model, &events[at..at + due], &split, done);
                    finished |= records.len() < due || events.get(at).is_some_and(|event| event.delivered >= until);
                    at += records.len();
                    done += records.len() as u64;
                    finished |= done == end;
                    if !records.is_empty() || finished {
                        let mark = marks.encode(EventPosition { slice, index: at });
                        last_sent = Instant::now();
                        yield batch(records, &split, done, finished, mark);
                    } else if last_sent.elapsed() >= IDLE {
                        last_sent = Instant::now();
                        yield Batch::default();
                    }
                    if finished {
                        return;
                    }
                    if let Some(next) = events.get(at) && due < most {
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

/// The records of the events, up to the first whose time is out of range.
fn records_of(model: &Model, events: &[SimulatedEvent], split: &Split, done: u64) -> Vec<Record<Event>> {
    let records = (done..).zip(events).map_while(|(done, event)| {
        let origin = Origin::new(split.clone(), done + 1, done, Bytes::new());
        let value = model.event(event)?;
        Some(Record::new(value, Some(origin)))
    });
    records.collect()
}

fn batch(records: Vec<Record<Event>>, split: &Split, done: u64, finished: bool, mark: Mark) -> Batch<Event> {
    let mut batch = Batch::new(Vec::new())
        .with_bytes(records.len() * EVENT_BYTES)
        .with_positions(vec![
            Position::new(split.clone(), done, done)
                .with_state(if finished {
                    SplitState::Finished
                } else {
                    SplitState::Open
                })
                .with_mark(mark),
        ]);
    batch.count_of(split).read = records.len() as u64;
    for record in &records {
        batch.times.saw_event(record.value.event_time);
    }
    batch.records = records;
    batch
}

#[cfg(test)]
mod tests;
