//! Failures of a try: what went wrong inside, before it is decided whether it is an error for the user.

use std::future::Future;
use std::time::Duration;

use ecom_stream::{Error, ErrorKind};
use tokio_postgres::error::SqlState;

use crate::action::{Action, action};

/// Why one try failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Postgres(#[from] tokio_postgres::Error),
    #[error("no answer from the server within {} seconds while {doing}", after.as_secs())]
    Silence { doing: &'static str, after: Duration },
    #[error("the server stored {stored} of {sent} rows")]
    Miscounted { sent: u64, stored: u64 },
    #[error("the ledger row was not as this instance left it")]
    LedgerMoved,
}

impl Failure {
    pub(crate) fn state(&self) -> Option<&SqlState> {
        match self {
            Self::Postgres(err) => err.code(),
            _ => None,
        }
    }

    pub(crate) fn action(&self) -> Action {
        action(self.state())
    }

    /// Whether the transaction may have been committed all the same. Only errors of a statement say for certain that it
    /// was not: a server that is shut down during COMMIT may have done it, and says so with an error too.
    pub(crate) fn is_unknown_outcome(&self) -> bool {
        let class = self.state().and_then(|state| state.code().get(..2));
        !matches!(class, Some("22" | "23" | "25" | "40" | "42" | "55"))
    }

    /// What the server said about a row, for its dead letter.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Postgres(err) => match err.as_db_error() {
                Some(db) => format!("{} (SQLSTATE {})", db.message(), db.code().code()),
                None => err.to_string(),
            },
            other => other.to_string(),
        }
    }

    /// The error for the user, with what to do about it.
    pub(crate) fn into_error(self, doing: &'static str) -> Error {
        let (kind, hint) = match self.state().map(|state| state.code()) {
            Some("3D000") => (
                ErrorKind::Configuration,
                Some("create the database first, or name another in the URL"),
            ),
            Some("28000" | "28P01") => (
                ErrorKind::Configuration,
                Some("check user and password in the database URL"),
            ),
            Some("42501") => (
                ErrorKind::Schema,
                Some("grant the role the rights that sql/ names, or use another role"),
            ),
            Some(code) if code.starts_with("42") || code.starts_with("3F") => (
                ErrorKind::Schema,
                Some("the schema is not as it should be: run sql/setup.sql with psql"),
            ),
            Some(code) if code.starts_with("08") || code.starts_with("57P") || code.starts_with("53") => (
                ErrorKind::Unavailable,
                Some("check that the server runs and lets more connections in"),
            ),
            None => (
                ErrorKind::Unavailable,
                Some("check that the server runs and that the database URL is right"),
            ),
            Some(_) => (ErrorKind::Sink, None),
        };
        let message = match self.state() {
            Some(_) => format!("{doing} failed: {}", self.detail()),
            None => format!("{doing} failed"),
        };
        let has_state = self.state().is_some();
        let error = Error::new(kind, message);
        let error = match hint {
            Some(hint) => error.hint(hint),
            None => error,
        };
        match has_state {
            true => error,
            false => error.caused_by(self),
        }
    }
}

/// The longest wait for an answer of the server. TCP notices a dead link, but not a stalled server or proxy, which still
/// acknowledges every packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(pub(crate) Duration);

impl Deadline {
    /// Waits for an answer. After a [`Failure::Silence`] the connection must be dropped.
    pub(crate) async fn of<T>(
        self,
        doing: &'static str,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.0, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Failure::Silence { doing, after: self.0 }),
        }
    }
}
