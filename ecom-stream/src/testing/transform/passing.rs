//! The checks that a transform passes on errors and empty batches, and pulls a bounded amount of input ahead.

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
use crate::testing::run_output::RunOutput;
use crate::testing::script::{Batching, Script};

/// Checks that an error of the input comes out, unchanged.
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

/// Checks that the empty batches of an idle source come out, after everything that came before them.
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
    let mut seen = RunOutput::default();
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

/// Checks that at most `max` rows are pulled for the first batch, and while nobody takes the output.
pub(super) async fn check_bounded<In, T>(values: Vec<In>, transform: T, max: u64, at: &dyn Display)
where
    In: Clone + Send + Sync + 'static,
    T: Transform<In>,
{
    let (input, taken) = endless(values);
    let taken = || taken.load(Ordering::SeqCst);
    let mut output = pin!(transform.apply(input, TestLedger::new().checkpoint()));
    let first = tokio::select! {
        first = output.next() => first,
        _ = at_rest(taken, max) => None,
    };
    drop(first);
    let before = taken();
    let waiting = at_rest(|| taken() - before, max).await;
    Law::BOUNDED.holds(before <= max && waiting <= max, at, || {
        format!("{before} rows were pulled for the first batch, {waiting} more while nobody took what came out")
    });
}
