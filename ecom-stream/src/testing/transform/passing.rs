//! What a transform lets pass whatever it does with records: errors, and the empty batches of an idle source.

use std::fmt::Display;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt, stream};

use crate::contract::{Batch, Source, Transform};
use crate::testing::endless::endless;
use crate::testing::law::Law;
use crate::testing::ledger::TestLedger;
use crate::testing::polls::at_rest;
use crate::testing::script::{Batching, Script};
use crate::testing::seen::Seen;

pub(super) async fn check_error<In, T>(script: Script<In>, transform: T, at: &dyn Display)
where
    In: Clone + Send + Sync + 'static,
    T: Transform<In>,
{
    let checkpoint = TestLedger::new().checkpoint();
    let failing = script.batching(Batching::Of(2)).failing_after(2);
    let (input, ()) = failing.open(checkpoint.clone());
    let mut output = pin!(transform.apply(input, checkpoint));
    loop {
        match output.next().await {
            Some(Ok(_)) => {}
            Some(Err(err)) => {
                let expected = Script::<In>::failure();
                let same = (err.kind(), err.to_string()) == (expected.kind(), expected.to_string());
                return Law::ERROR.holds(same, at, || format!("{err} where the input failed with {expected}"));
            }
            None => Law::ERROR.broken(at, "the stream ended as if the input had"),
        }
    }
}

/// An idle source sends empty batches: they come out, and behind everything that came before them.
pub(super) async fn check_empty_batches<In, T>(script: Script<In>, transform: T, at: &dyn Display)
where
    In: Clone + Send + Sync + 'static,
    T: Transform<In>,
{
    const EMPTY_BATCHES: usize = 1_000;
    let checkpoint = TestLedger::new().checkpoint();
    let ran_out = Arc::new(AtomicBool::new(false));
    let last = ran_out.clone();
    let expected = script.positions(script.len());
    let (input, ()) = script.batching(Batching::Of(2)).open(checkpoint.clone());
    let idling = stream::iter(1..=EMPTY_BATCHES).then(move |number| {
        last.store(number == EMPTY_BATCHES, Ordering::SeqCst);
        async {
            tokio::task::yield_now().await;
            Ok(Batch::default())
        }
    });
    let mut output = pin!(transform.apply(input.chain(idling), checkpoint));
    let mut seen = Seen::default();
    while let Some(batch) = output.next().await {
        let batch = batch.unwrap_or_else(|err| Law::READS.broken(at, err.report()));
        let has_nothing = batch.records.is_empty() && batch.rejects.is_empty();
        seen.extend([batch]);
        if has_nothing && seen.positions().eq(&expected) && !ran_out.load(Ordering::SeqCst) {
            return;
        }
    }
    let all = if seen.positions().eq(&expected) {
        "all"
    } else {
        "not all"
    };
    Law::EMPTY_BATCHES.broken(
        at,
        format!("{all} positions had left, and no empty batch after them, when {EMPTY_BATCHES} empty batches had come"),
    );
}

/// Input is pulled for output, not ahead of it without bound.
pub(super) async fn check_bounded<In, T>(values: Vec<In>, transform: T, most: u64, at: &dyn Display)
where
    In: Clone + Send + Sync + 'static,
    T: Transform<In>,
{
    let (input, taken) = endless(values);
    let taken = || taken.load(Ordering::SeqCst);
    let mut output = pin!(transform.apply(input, TestLedger::new().checkpoint()));
    let first = tokio::select! {
        first = output.next() => first,
        _ = at_rest(taken, most) => None,
    };
    drop(first);
    let before = taken();
    let waiting = at_rest(|| taken() - before, most).await;
    Law::BOUNDED.holds(before <= most && waiting <= most, at, || {
        format!("{before} rows were pulled for the first batch, {waiting} more while nobody took what came out")
    });
}
