//! Slices of time, in their order and each in the order of delivery.

use std::sync::Arc;

use ecom_stream::{Error, ErrorKind, Result};
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::model::Model;
use crate::moment::Moment;
use crate::waiting::Waiting;

/// More than a second's work.
const MANY_EVENTS: f64 = 5e6;

/// Keeps what is made in a slice but happens later.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    slice_micros: i64,
    start_micros: i64,
    next: i64,
    waiting: Waiting,
}

impl Timeline {
    /// A timeline whose first whole slice is `first`, as far as what happens from `start_micros` on goes, and the slice to
    /// begin with.
    pub(crate) fn new(model: &Model, first: i64, start_micros: i64) -> (Self, i64) {
        let next = model.begin_for(first, start_micros);
        let timeline = Self {
            slice_micros: model.slice_micros,
            start_micros,
            next,
            waiting: Waiting::new(),
        };
        (timeline, next)
    }

    /// Takes what is made in the next slice; gives what is delivered in it, in no order, without what lies before the shop's
    /// start.
    pub(crate) fn pass(&mut self, mut made: Vec<Moment>) -> Vec<Moment> {
        made.retain(|moment| {
            // Nothing is delivered before it happens.
            let ahead = (moment.delivered.div_euclid(self.slice_micros) - self.next).max(0) as usize;
            let is_seen = moment.micros >= self.start_micros;
            if is_seen && ahead > 0 {
                self.waiting.put(ahead, *moment);
            }
            is_seen && ahead == 0
        });
        self.waiting.take_next(&mut made);
        self.next += 1;
        made
    }
}

/// Sorts what is delivered in a slice.
pub(crate) fn in_order(mut moments: Vec<Moment>) -> Vec<Moment> {
    moments.sort_unstable_by_key(Moment::order);
    moments
}

/// What `finish` makes of each slice's moments, in order, from the slice `first` on, without what happened before
/// `start_micros`. Made by at most so many threads at a time. Nothing is made before it is asked for, and not more than
/// twice that many slices ahead.
pub(crate) fn slices<R: Send + 'static>(
    model: Arc<Model>,
    first: i64,
    start_micros: i64,
    workers: usize,
    finish: impl Fn(i64, Vec<Moment>) -> R + Clone + Send + 'static,
) -> impl Stream<Item = Result<R>> + Send {
    let workers = workers.max(1);
    let permits = Arc::new(Semaphore::new(workers));
    let (mut timeline, begin) = Timeline::new(&model, first, start_micros);
    let before = (first - begin) as f64 * model.events_per_slice;
    if before > MANY_EVENTS {
        let events = before as u64;
        tracing::info!(
            events,
            "opening the shop ... those that lead up to its start are made first"
        );
    }
    let simulated = {
        let permits = permits.clone();
        stream::iter(begin..)
            .map(move |slice| {
                let model = model.clone();
                let made = work(permits.clone(), move || model.simulate(slice));
                async move { made.await.map(|made| (slice, made)) }
            })
            .buffered(workers)
    };
    simulated
        .map(move |made| made.map(|(slice, made)| (slice, timeline.pass(made))))
        .filter(move |passed| std::future::ready(!matches!(passed, Ok((slice, _)) if *slice < first)))
        .map(move |passed| {
            let (permits, finish) = (permits.clone(), finish.clone());
            async move {
                let (slice, moments) = passed?;
                work(permits, move || finish(slice, moments)).await
            }
        })
        .buffered(workers)
}

async fn work<R: Send + 'static>(permits: Arc<Semaphore>, work: impl FnOnce() -> R + Send + 'static) -> Result<R> {
    let panicked = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Panicked, "making events panicked or was given up").caused_by(cause)
    };
    let permit = permits.acquire_owned().await.map_err(|err| panicked(err.into()))?;
    let done = spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    done.await.map_err(|err| panicked(err.into()))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::moment::micros;
    use crate::shop::Shop;

    #[tokio::test]
    async fn workers_change_nothing() {
        let start = datetime!(2026-11-01 12:00 UTC);
        let model = Arc::new(Model::new(&Shop::builder(5, start)));
        let first = model.slice_at(micros(start));
        let of = async |workers| {
            let finish = move |_, moments| in_order(moments);
            let slices = slices(model.clone(), first, micros(start), workers, finish);
            let slices: Vec<_> = slices.take(4).map(Result::unwrap).collect().await;
            slices.concat()
        };
        let one = of(1).await;
        assert!(one.len() > 5_000);
        assert!(one == of(4).await);
    }

    #[test]
    fn a_timeline_that_begins_later_is_the_same_from_there_on() {
        let start = datetime!(2026-11-01 12:00 UTC);
        let model = Model::new(&Shop::builder(5, start));
        let from = |first: i64, skip: i64| {
            let (mut timeline, begin) = Timeline::new(&model, first, i64::MIN);
            let mut slices = (begin..).map(|slice| in_order(timeline.pass(model.simulate(slice))));
            slices.nth((first - begin + skip) as usize).unwrap()
        };
        let first = model.slice_at(micros(start));
        assert!(from(first, 50) == from(first + 50, 0));
    }

    #[test]
    fn nothing_is_made_that_is_not_delivered() {
        let start = datetime!(2026-11-01 12:00 UTC);
        let hour = time::Duration::HOUR;
        let outage = |from, until| crate::Scenario::Outage { from, until };
        let shop = Shop::builder(5, start)
            .delivery(crate::Delivery::heavy())
            .scenario(outage(start - 90 * 24 * hour, start - 60 * 24 * hour))
            .scenario(outage(start + 8 * hour, start + 14 * hour))
            .scenario(outage(start + 9 * hour, start + 9 * hour + hour / 2))
            .scenario(outage(start + 14 * hour + hour / 10, start + 15 * hour))
            .scenario(outage(start + 300 * 24 * hour, start + 600 * 24 * hour))
            .rate(crate::Rate::per_second(5.0).unwrap());
        let model = Model::new(&shop);
        let (start, slice) = (micros(start), |hours: i32| model.slice_at(micros(start + hours * hour)));
        let first = model.slice_at(start);
        // Late events that happened before the start are no part of the shop.
        assert!(Timeline::new(&model, first, start).1 >= slice(-1));
        assert!(Timeline::new(&model, slice(100), start).1 >= slice(92));

        let (mut timeline, mut at) = Timeline::new(&model, first, start);
        let mut next = || {
            at += 1;
            (at - 1, in_order(timeline.pass(model.simulate(at - 1))))
        };
        for _ in 0..slice(20) - first {
            let (slice, whole) = next();
            let (mut later, begin) = Timeline::new(&model, slice, start);
            if slice < first || slice % 3 != 0 {
                continue;
            }
            let mut alone = Vec::new();
            for made in begin..=slice {
                alone = later.pass(model.simulate(made));
            }
            assert!(whole == in_order(alone), "{slice}");
        }
    }
}
