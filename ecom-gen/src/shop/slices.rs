//! Simulates slices of time on several threads, and returns them in order.

use std::sync::Arc;

use ecom_stream::{Error, ErrorKind, Result};
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::delivery_buffer::DeliveryBuffer;
use super::event::SimulatedEvent;
use super::model::Model;

/// Simulating more events than this takes longer than a second.
const MANY_EVENTS: f64 = 5e6;

/// The result of `finish` for the events that are delivered in each slice, in order, beginning with slice `first` and
/// leaving out events that happened before `start_micros`.
///
/// At most `workers` threads work at a time. Slices are simulated only as the stream is polled, at most `2 * workers`
/// of them ahead.
pub(crate) fn slices<R: Send + 'static>(
    model: Arc<Model>,
    first: i64,
    start_micros: i64,
    workers: usize,
    finish: impl Fn(i64, Vec<SimulatedEvent>) -> R + Clone + Send + 'static,
) -> impl Stream<Item = Result<R>> + Send {
    let workers = workers.max(1);
    let permits = Arc::new(Semaphore::new(workers));
    let (mut buffer, begin) = DeliveryBuffer::new(&model, first, start_micros);
    let before = (first - begin) as f64 * model.events_per_slice;
    if before > MANY_EVENTS {
        let events = before as u64;
        tracing::info!(
            events,
            "opening the shop: simulating the events that lead up to its start"
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
        .map(move |made| made.map(|(slice, made)| (slice, buffer.release(made))))
        .filter(move |passed| std::future::ready(!matches!(passed, Ok((slice, _)) if *slice < first)))
        .map(move |passed| {
            let (permits, finish) = (permits.clone(), finish.clone());
            async move {
                let (slice, events) = passed?;
                work(permits, move || finish(slice, events)).await
            }
        })
        .buffered(workers)
}

async fn work<R: Send + 'static>(permits: Arc<Semaphore>, work: impl FnOnce() -> R + Send + 'static) -> Result<R> {
    let panicked = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(
            ErrorKind::Panicked,
            "the simulation of a slice panicked or was cancelled",
        )
        .caused_by(cause)
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
    use crate::micros::micros;
    use crate::shop::delivery_buffer::sort_by_delivery;
    use crate::shop::iterator::Shop;

    #[tokio::test]
    async fn the_number_of_workers_changes_nothing() {
        let start = datetime!(2026-11-01 12:00 UTC);
        let model = Arc::new(Model::new(&Shop::builder(5, start)));
        let first = model.slice_at(micros(start));
        let of = async |workers| {
            let finish = move |_, events| sort_by_delivery(events);
            let slices = slices(model.clone(), first, micros(start), workers, finish);
            let slices: Vec<_> = slices.take(4).map(Result::unwrap).collect().await;
            slices.concat()
        };
        let one = of(1).await;
        assert!(one.len() > 5_000);
        assert!(one == of(4).await);
    }
}
