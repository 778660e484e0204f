//! Why a record or a split can't be used.

use serde::{Deserialize, Serialize};

use super::reason::Reason;

/// Why something can't be used: a reason code to group by, and a detail to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}: {detail}")]
#[non_exhaustive]
pub struct Refusal {
    /// The code.
    pub reason: Reason,
    /// What was found, in words.
    pub detail: String,
}

impl Refusal {
    /// A refusal with a code such as [`Reason::PRICE_NEGATIVE`], or one of your own.
    pub fn new(reason: impl Into<Reason>, detail: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            detail: detail.into(),
        }
    }

    /// A refusal that shows the value that was found, shortened: a detail is for reading, and the raw bytes are kept beside
    /// it.
    pub fn found(reason: impl Into<Reason>, value: &str) -> Self {
        const MAX_SHOWN_CHARS: usize = 80;
        let mut shown: String = value.chars().take(MAX_SHOWN_CHARS).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self::new(reason, format!("found {shown:?}"))
    }
}
