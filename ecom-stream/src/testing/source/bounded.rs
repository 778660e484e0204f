//! The check that a source tells the size of its batches, so that the queue bounds memory.

use std::fmt::Display;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{Stream, stream};

use crate::contract::{Batch, BatchStream, Checkpoint, Commit, EmptyLedger, Result, Sink, Source, Topology};
use crate::operators::SourceExt;
use crate::run::QueueLimits;
use crate::testing::law::Law;
use crate::testing::polls::at_rest;

/// Runs a pipeline into a sink that takes nothing. `largest_bytes` is the size of the records in the largest batch.
pub(super) async fn check_bounded<S: Source + 'static>(source: S, largest_bytes: u64, at: &dyn Display) {
    let taken = Arc::new(AtomicU64::new(0));
    let counter = taken.clone();
    let counted = source.inspect(move |batch: &Batch<S::Item>| {
        counter.fetch_add(raw_bytes(batch), Ordering::SeqCst);
    });
    let limits = QueueLimits {
        max_rows: u32::MAX,
        max_bytes: u32::try_from(largest_bytes).unwrap_or(u32::MAX).max(1),
    };
    // A batch that waits for room has been taken too, and `bytes` is an estimate that may be half of the size.
    let most = 2 * u64::from(limits.max_bytes) + largest_bytes;
    let run = counted.to(Stalled).queue_limits(limits).run();
    let waiting = tokio::select! {
        outcome = run => Law::READS.broken(at, format!("{outcome:?} although the sink took nothing")),
        waiting = at_rest(|| taken.load(Ordering::SeqCst), most) => waiting,
    };
    Law::BOUNDED.holds(waiting <= most, at, || {
        let limit = limits.max_bytes;
        format!(
            "{waiting} bytes wait for a sink that takes nothing, where {limit} may: does Batch::bytes tell the size?"
        )
    });
}

/// The number of bytes that the records and rejects of a batch had in the input.
pub(super) fn raw_bytes<T>(batch: &Batch<T>) -> u64 {
    let of_records = batch.records.iter().map(|record| &record.origin);
    let of_rejects = batch.rejects.iter().map(|reject| &reject.origin);
    let origins = of_records.chain(of_rejects).flatten();
    origins.map(|origin| origin.raw.len() as u64).sum()
}

/// A sink that never takes a batch.
struct Stalled;

impl<T: Send + 'static> Sink<T> for Stalled {
    async fn ledger(&mut self, _: &Topology) -> Result<Checkpoint> {
        Ok(Arc::new(EmptyLedger::new("testing")))
    }

    fn commit(self, input: impl BatchStream<T> + 'static) -> impl Stream<Item = Result<Commit>> + Send {
        stream::once(async move {
            let _input = input;
            pending().await
        })
    }
}
