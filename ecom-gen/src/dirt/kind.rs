//! The kinds of faults that files can have.

use serde::{Deserialize, Serialize};

/// The kind of a fault. The field of [`Dirt`](crate::Dirt) with the same name describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are the fields of `Dirt`")]
pub enum FaultKind {
    MissingField,
    WrongType,
    UnknownEventType,
    NegativePrice,
    BadTime,
    InvalidUtf8,
    NulByte,
    TextAfterQuote,
    UnterminatedQuote,
    TornLastLine,
    ByteOrderMark,
    Crlf,
    MissingColumn,
    EmptyFile,
    HeaderOnly,
    Rewritten,
}

impl FaultKind {
    /// The kinds of faults that affect a row.
    pub const OF_ROWS: [Self; 8] = [
        Self::MissingField,
        Self::WrongType,
        Self::UnknownEventType,
        Self::NegativePrice,
        Self::BadTime,
        Self::InvalidUtf8,
        Self::NulByte,
        Self::TextAfterQuote,
    ];

    /// The kinds of faults that affect a file.
    pub const OF_FILES: [Self; 8] = [
        Self::UnterminatedQuote,
        Self::TornLastLine,
        Self::ByteOrderMark,
        Self::Crlf,
        Self::MissingColumn,
        Self::EmptyFile,
        Self::HeaderOnly,
        Self::Rewritten,
    ];
}
