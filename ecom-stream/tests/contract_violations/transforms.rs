//! Transforms that break the contract.

use std::future::ready;

use async_stream::stream;
use ecom_stream::{Batch, BatchStream, Checkpoint, Result, StateChange, Topology, Transform, testing};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use crate::{Batches, breaks};

/// Does something to the stream.
pub(crate) struct Does<F> {
    operator: Option<&'static str>,
    to: F,
}

impl<F> Transform<i64> for Does<F>
where
    F: FnOnce(Batches, Checkpoint) -> Batches + Send,
{
    type Out = i64;

    fn describe(&self, topology: &mut Topology) {
        if let Some(operator) = self.operator {
            topology.add_operator(operator);
        }
    }

    fn apply(self, input: impl BatchStream<i64> + 'static, from: Checkpoint) -> impl BatchStream<i64> {
        (self.to)(input.boxed(), from)
    }
}

pub(crate) fn does<F: FnOnce(Batches) -> Batches + Send>(
    to: F,
) -> Does<impl FnOnce(Batches, Checkpoint) -> Batches + Send> {
    Does {
        operator: None,
        to: move |batches, _| to(batches),
    }
}

/// The batches after `change`, which is told how many came before.
pub(crate) fn changes(change: fn(usize, &mut Batch<i64>)) -> Does<impl FnOnce(Batches, Checkpoint) -> Batches + Send> {
    let change = move |(at, batch): (usize, Result<Batch<i64>>)| {
        batch.map(|mut batch| {
            change(at, &mut batch);
            batch
        })
    };
    does(move |batches| batches.enumerate().map(change).boxed())
}

async fn transform<T: Transform<i64, Out = i64>>(make: impl Fn() -> T) {
    testing::transform(make, 0..40).check().await;
}

fn state_of_sum(sum: i64) -> StateChange {
    StateChange::new("sum", Vec::new(), 1, Some(sum.to_be_bytes().to_vec()))
}

/// Adds up, and keeps the sum, but doesn't look for it at the start.
pub(crate) fn sum(batches: Batches) -> Batches {
    let mut sum = 0;
    let add = move |mut batch: Batch<i64>| {
        for record in &mut batch.records {
            sum += record.value;
            record.value = sum;
        }
        batch.state.push(state_of_sum(sum));
        batch
    };
    batches.map_ok(add).boxed()
}

#[tokio::test]
async fn transforms_with_wrong_results_are_found() {
    transform(|| changes(|_, _| ())).await;
    let by_batch = || changes(|at, batch| batch.records.iter_mut().for_each(|record| record.value += at as i64));
    breaks("the result does not depend on the batches", transform(by_batch)).await;
    let forgetful = || Does {
        operator: Some("sum"),
        to: |batches, _| sum(batches),
    };
    breaks(
        "a cut at any commit changes nothing, state included",
        transform(forgetful),
    )
    .await;
    let nameless = || does(sum);
    breaks("state is kept under a name that was described", transform(nameless)).await;
    let uncounted = || changes(|_, batch| batch.records.retain(|record| record.value % 3 > 0));
    breaks("read = records + rejects + filtered", transform(uncounted)).await;
}

/// Cuts each batch in two; the second has all but half of the records.
fn halves(batches: Batches) -> Batches {
    let halves = |mut batch: Batch<i64>| {
        let second = batch.records.split_off(batch.records.len() / 2);
        let first = Batch::new(std::mem::replace(&mut batch.records, second));
        futures::stream::iter([Ok(first), Ok(batch)])
    };
    batches.map_ok(halves).try_flatten().boxed()
}

/// Keeps the records of each batch for the next.
fn delays(batches: Batches) -> Batches {
    let mut kept = Vec::new();
    let delay = move |mut batch: Batch<i64>| {
        std::mem::swap(&mut batch.records, &mut kept);
        batch
    };
    let delayed = batches.map_ok(delay);
    delayed.boxed()
}

#[tokio::test]
async fn transforms_that_split_batches_or_drop_positions_are_found() {
    let check = testing::transform(|| does(halves), 0..40).not_one_to_one().check();
    breaks("batches may be merged, never split", check).await;
    let check = testing::transform(|| does(delays), 0..40).not_one_to_one().check();
    breaks("a position leaves with or after every record up to it", check).await;
    const KEEPS: &str = "positions, counts and the state of others are kept";
    breaks(KEEPS, transform(|| changes(|_, batch| batch.positions.clear()))).await;
    breaks(KEEPS, transform(|| changes(|_, batch| batch.state.clear()))).await;
    let check = testing::transform(|| changes(|_, batch| batch.counts.clear()), 0..40).not_one_to_one();
    breaks("a position leaves with or after every record up to it", check.check()).await;
    let rewritten = || {
        changes(|_, batch| {
            batch
                .rejects
                .iter_mut()
                .for_each(|reject| reject.refusal.detail.clear())
        })
    };
    breaks("rejects pass through untouched", transform(rewritten)).await;
}

#[tokio::test]
async fn transforms_that_swallow_batches_or_errors_are_found() {
    let without_empty = || does(|batches| batches.try_filter(|batch| ready(!batch.is_empty())).boxed());
    breaks("empty batches pass through", transform(without_empty)).await;
    let to_the_error = || does(|batches| batches.take_while(|batch| ready(batch.is_ok())).boxed());
    breaks("an error of the input is passed on", transform(to_the_error)).await;
    let greedy = || does(pulls_ahead);
    breaks("what waits in memory is bounded", transform(greedy)).await;
}

/// Pulls in a task of its own, as fast as it can.
pub(crate) fn pulls_ahead(mut batches: Batches) -> Batches {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(batch) = batches.next().await {
            if sender.send(batch).is_err() {
                break;
            }
        }
    });
    stream! {
        while let Some(batch) = receiver.recv().await {
            yield batch;
        }
    }
    .boxed()
}
