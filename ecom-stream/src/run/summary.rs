//! What a run did, told at its end.

use crate::contract::Counts;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How many epochs were committed.
    pub epochs: u64,
    /// What became of the records.
    pub counts: Counts,
    /// Whether the run was stopped; otherwise the source was exhausted.
    pub stopped: bool,
}
