//! Rejects: records that can't be used, kept with all that is needed to repair them.

use super::origin::Origin;
use super::refusal::Refusal;

/// A record that can't be used. It travels in the batch with its neighbours and ends in the sink's dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reject {
    /// Where it came from, with its bytes as they stood there; `None` if a transform had made it of several records.
    pub origin: Option<Origin>,
    /// Why it was refused.
    pub refusal: Refusal,
}

impl Reject {
    /// The rejection of the record from `origin`.
    pub fn new(origin: impl Into<Option<Origin>>, refusal: Refusal) -> Self {
        Self {
            origin: origin.into(),
            refusal,
        }
    }
}
