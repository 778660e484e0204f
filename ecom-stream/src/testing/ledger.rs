//! The ledger of the checks: a sink in memory that keeps no records.

use std::sync::Arc;

use futures::{StreamExt, stream};

use crate::memory::MemorySink;
use crate::{Batch, Checkpoint, Position, Sink};

/// What the checks have "committed".
pub(super) struct TestLedger(MemorySink<()>);

impl TestLedger {
    pub(super) fn new() -> Self {
        Self(MemorySink::new("testing"))
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Arc::new(self.0.clone())
    }

    pub(super) fn positions(&self) -> Vec<Position> {
        self.0.positions()
    }

    /// Makes what the batch says durable.
    pub(super) async fn commit<T>(&self, batch: &Batch<T>) {
        let kept = Batch {
            state: batch.state.clone(),
            positions: batch.positions.clone(),
            ..Batch::default()
        };
        self.0
            .clone()
            .commit(stream::iter([Ok(kept)]))
            .for_each(async |_| ())
            .await;
    }
}
