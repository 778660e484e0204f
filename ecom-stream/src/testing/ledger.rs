//! The ledger of the checks.

use std::sync::Arc;

use crate::connectors::memory::MemoryLedger;
use crate::contract::{Batch, Checkpoint, Position};

/// What the checks have "committed".
pub(super) struct TestLedger(MemoryLedger);

impl TestLedger {
    pub(super) fn new() -> Self {
        Self(MemoryLedger::new("testing"))
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Arc::new(self.0.clone())
    }

    pub(super) fn positions(&self) -> Vec<Position> {
        self.0.all_positions()
    }

    /// Makes what the batch says durable.
    pub(super) fn commit<T>(&self, batch: &Batch<T>) {
        self.0.commit(&batch.positions, &batch.state);
    }
}
