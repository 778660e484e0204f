use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use bytes::Bytes;
use ecom_stream::{
    Batch, BatchStream, Checkpoint, Error, ErrorKind, Event, Mark, Origin, Position, Record, Result, Source, Split,
    SplitState, Topology,
};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::{Pace, Shop, ShopBuilder};

/// How long a live source waits for more events: not shorter, so that a batch holds some, nor longer, since the clock
/// may be set.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// After so long without an event a live source sends an empty batch.
const IDLE: Duration = Duration::from_secs(1);
/// What an event takes in a CSV file, about.
const EVENT_BYTES: usize = 180;

/// Raised whenever the same parameters give other events than before.
const MODEL: u32 = 1;

type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// A [`Source`] of the events of a [`Shop`].
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
    max_batch_rows: usize,
    clock: Clock,
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
            max_batch_rows: 1_024,
            clock: Arc::new(OffsetDateTime::now_utc),
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

    /// Puts at most `rows` events into a batch, in place of 1,024; at least 1.
    pub fn max_batch_rows(mut self, rows: usize) -> Self {
        self.max_batch_rows = rows.max(1);
        self
    }

    /// The clock that [`Pace::Live`] goes by, in place of the system's.
    pub fn clock(mut self, clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn mark(&self) -> Mark {
        let ShopBuilder {
            seed,
            start,
            rate,
            products,
            shoppers,
        } = &self.shop;
        let (start, rate) = (start.unix_timestamp_nanos() / 1_000, rate.events_per_second());
        Mark::new(format!(
            r#"{{"model": {MODEL}, "seed": {seed}, "start_us": {start}, "rate": {rate}, "products": {products}, "shoppers": {shoppers}}}"#
        ))
    }

    /// How many events lie before the position, if it is one of this very shop.
    fn resume(&self, position: Option<&Position>, mark: &Mark) -> Result<u64> {
        let Some(position) = position else { return Ok(0) };
        if position.mark != *mark {
            let message = format!(
                "{} was another shop: {} before, {} now",
                position.split,
                position.mark.as_json().unwrap_or("no parameters"),
                mark.as_json().unwrap_or_default()
            );
            return Err(Error::new(ErrorKind::Configuration, message)
                .hint("go on with the same parameters, or take another seed or another name"));
        }
        Ok(position.record)
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

    fn open(self, from: Checkpoint) -> (impl BatchStream<Event>, ()) {
        let split = Split::new(self.name.clone(), format!("seed={}", self.shop.seed));
        let stream = try_stream! {
            let mark = self.mark();
            let known = from.positions(std::slice::from_ref(&split)).await?;
            let mut done = self.resume(known.first(), &mark)?;
            let end = self.events.unwrap_or(u64::MAX);
            if done >= end {
                return;
            }
            let mut shop = self.shop.clone().build();
            shop.skip_events(done);
            let mut last_sent = Instant::now();
            while done < end {
                let until = match self.pace {
                    Pace::Live => Some((self.clock)()),
                    Pace::AsFastAsPossible => None,
                };
                let most = (end - done).min(self.max_batch_rows as u64) as usize;
                let mut records = Vec::with_capacity(if until.is_none() { most } else { 0 });
                let mut finished = false;
                while records.len() < most && until.is_none_or(|until| is_due(&shop, until)) {
                    let Some(value) = shop.next() else {
                        finished = true;
                        break;
                    };
                    let origin = Origin {
                        split: split.clone(),
                        record: done + 1,
                        byte_offset: done,
                        raw: Bytes::new(),
                    };
                    records.push(Record { value, origin: Some(origin) });
                    done += 1;
                }
                finished |= done == end;
                let is_full = records.len() == most;
                if !records.is_empty() || finished {
                    let mut batch = Batch {
                        bytes: records.len() * EVENT_BYTES,
                        positions: vec![Position {
                            split: split.clone(),
                            offset: done,
                            record: done,
                            state: if finished { SplitState::Finished } else { SplitState::Open },
                            mark: mark.clone(),
                        }],
                        ..Batch::default()
                    };
                    batch.count_of(&split).read = records.len() as u64;
                    for record in &records {
                        batch.times.saw_event(record.value.event_time);
                    }
                    batch.records = records;
                    last_sent = Instant::now();
                    yield batch;
                } else if last_sent.elapsed() >= IDLE {
                    last_sent = Instant::now();
                    yield Batch::default();
                }
                if finished {
                    return;
                }
                if let Some(until) = until && !is_full {
                    let wait = shop.next_time().map_or(LONGEST_WAIT, |next| (next - until).unsigned_abs());
                    tokio::time::sleep(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)).await;
                }
            }
        };
        (stream, ())
    }
}

/// Also when there is no next event any more: then the shop says so.
fn is_due(shop: &Shop, until: OffsetDateTime) -> bool {
    shop.next_time().is_none_or(|next| next <= until)
}

#[cfg(test)]
mod tests;
