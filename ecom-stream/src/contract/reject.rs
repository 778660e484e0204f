//! Rejects: records that can't be used, kept with everything that is needed to repair them.

use super::origin::Origin;
use super::refusal::Refusal;

/// A record that can't be used. It travels in the batch with its neighbours, and the sink stores it among the dead letters.
///
/// ```
/// use ecom_stream::{Reason, Refusal, Reject};
///
/// let reject = Reject::new(None, Refusal::new(Reason::LATE, "10 s behind the watermark"));
/// assert_eq!(reject.refusal.reason, Reason::LATE);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reject {
    /// Where the record came from, with its original bytes; `None` if a transform had made it from several records.
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
