//! The refusal: a reason code and a detail that say why a record or a split can't be used.

use serde::{Deserialize, Serialize};

use super::reason::Reason;

/// Why a record or a split can't be used: a reason code to group by, and a detail for a person to read.
///
/// ```
/// use ecom_stream::{Reason, Refusal};
///
/// let refusal = Refusal::found(Reason::PRICE_MALFORMED, "12 Euro");
/// assert_eq!(refusal.to_string(), "price_malformed: found \"12 Euro\"");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}: {detail}")]
#[non_exhaustive]
pub struct Refusal {
    /// The code.
    pub reason: Reason,
    /// What is wrong, in words.
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

    /// A refusal whose detail shows the value that was found. The value is cut after 80 characters: a reject keeps the raw bytes
    /// anyway.
    pub fn found(reason: impl Into<Reason>, value: &str) -> Self {
        const MAX_SHOWN_CHARS: usize = 80;
        let mut shown: String = value.chars().take(MAX_SHOWN_CHARS).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self::new(reason, format!("found {shown:?}"))
    }
}
