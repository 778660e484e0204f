//! The ledger that the checks of sources and transforms commit to.

use std::sync::Arc;

use crate::connectors::memory::MemoryLedger;
use crate::contract::{Batch, Checkpoint, Position};

/// A ledger of the batches that a check has committed, without a sink.
pub(super) struct TestLedger(MemoryLedger);

impl TestLedger {
    pub(super) fn new() -> Self {
        Self(MemoryLedger::new("testing"))
    }

    /// The checkpoint for the next run.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        Arc::new(self.0.clone())
    }

    /// The committed position of each split.
    pub(super) fn positions(&self) -> Vec<Position> {
        self.0.all_positions()
    }

    /// Commits the positions and the state of a batch.
    pub(super) fn commit<T>(&self, batch: &Batch<T>) {
        self.0.commit(&batch.positions, &batch.state);
    }
}
