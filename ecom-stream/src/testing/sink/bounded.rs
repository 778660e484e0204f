//! The check that a sink pulls only a bounded amount of input ahead of its commits.

use std::fmt::Display;
use std::pin::pin;
use std::sync::atomic::Ordering;

use futures::StreamExt;

use crate::contract::{Sink, Source, Topology};
use crate::testing::endless::endless;
use crate::testing::law::Law;
use crate::testing::polls::{at_rest, for_polls};
use crate::testing::script::Script;
use crate::testing::store::Store;

/// Runs the sink on an endless input, first while nobody takes the commits, then while the store is stalled. In both cases at most
/// `max` rows may be pulled.
pub(super) async fn check_bounded<St: Store>(store: &St, values: Vec<St::Item>, max: u64, at: &dyn Display) {
    const POLLS: usize = 500;
    let mut sink = store.sink();
    let mut topology = Topology::default();
    Script::new(values.clone()).describe(&mut topology);
    if let Err(err) = sink.ledger(&topology).await {
        Law::WORKS.broken(at, err.report());
    }
    let (input, taken) = endless(values);
    let taken = || taken.load(Ordering::SeqCst);
    let mut commits = pin!(sink.commit(input));
    // Bounded, since a sink may commit only at the end of its input.
    for_polls(commits.next(), POLLS).await;

    let before = taken();
    let waiting = at_rest(|| taken() - before, max).await;
    Law::BOUNDED.holds(waiting <= max, at, || {
        format!("{waiting} rows were pulled after {before}, while nobody took the commits")
    });

    let Some(stall) = store.stall().await else { return };
    let before = taken();
    let writing = async { while let Some(Ok(_)) = commits.next().await {} };
    let waiting = tokio::select! {
        () = writing => Law::WORKS.broken(at, "the commits ended while the store was stalled"),
        waiting = at_rest(|| taken() - before, max) => waiting,
    };
    Law::BOUNDED.holds(waiting <= max, at, || {
        format!("{waiting} rows were pulled after {before}, while the store was stalled")
    });
    drop(stall);
    let next = commits.next().await;
    Law::WORKS.holds(matches!(next, Some(Ok(_))), at, || {
        format!("{next:?} after the store had been stalled")
    });
}
