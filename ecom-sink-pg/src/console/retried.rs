//! The result of a retry.

use ecom_stream::{Error, Refusal};
use tokio_postgres::error::SqlState;

use super::dead_letters::DeadLetter;
use crate::failure::Failure;

/// What became of the rows of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retried {
    /// Rows that are in the table now.
    pub stored: u64,
    /// Rows that the table had already.
    pub duplicates: u64,
    /// Rows that the mapping leaves out: they count as filtered now, and no longer as rejected.
    pub filtered: u64,
    /// Rows whose dead letter was resolved earlier. Nothing was done for them.
    pub already_resolved: u64,
    /// Rows that are still rejected, in the order of the file.
    pub rejected: Vec<StillRejected>,
}

/// A row that is still rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StillRejected {
    /// The number of the record in the corrected file.
    pub record: u64,
    /// The number of its dead letter, if the row has one.
    pub id: Option<i64>,
    /// Where the record was originally, if the ledger has it: the file, and the record number
    /// there.
    pub first: Option<(String, u64)>,
    /// Why it is rejected.
    pub refusal: Refusal,
}

impl StillRejected {
    pub(super) fn of(record: u64, letter: &DeadLetter, refusal: Refusal) -> Self {
        let first = letter.split.as_ref().zip(letter.record);
        Self {
            record,
            id: Some(letter.id),
            first: first.map(|(split, record)| (split.path().to_owned(), record)),
            refusal,
        }
    }
}

impl Retried {
    /// Adds the counts of one transaction.
    pub(super) fn add(&mut self, other: Self) {
        self.stored += other.stored;
        self.duplicates += other.duplicates;
        self.filtered += other.filtered;
        self.already_resolved += other.already_resolved;
    }
}

/// The error for the user.
pub(super) fn retry_error(failure: Failure) -> Error {
    let is_denied = failure.state() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
    let err = failure.into_error("retrying rejects");
    match is_denied {
        true => err.hint("connect as the owner of the schema: a retry changes events, the ledger and dead letters"),
        false => err,
    }
}
