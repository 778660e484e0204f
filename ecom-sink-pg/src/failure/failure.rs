//! Why an attempt failed, before it is decided whether the user sees it as an error.

use std::future::Future;
use std::time::Duration;

use ecom_stream::{Error, ErrorKind};
use tokio_postgres::error::SqlState;

use super::connection_error::{self, is_of_tls};
use super::sqlstate::{Action, action, error_kind_and_hint, may_have_committed};

/// Why one attempt failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// An error of the driver: from the server, or from the connection.
    #[error(transparent)]
    Postgres(#[from] tokio_postgres::Error),
    /// A connection to this host could not be opened.
    #[error("at {host}")]
    Connect {
        host: String,
        source: tokio_postgres::Error,
    },
    /// A statement failed that writes the ledger, dead letters or operator state, not rows.
    #[error("writing the ledger")]
    Ledger(#[source] tokio_postgres::Error),
    /// No host is left to try.
    #[error("there is no host to connect to")]
    NoHost,
    /// The server did not answer within the deadline. The connection must be dropped.
    #[error("no answer from the server within {} seconds while {doing}", after.as_secs())]
    Silence { doing: &'static str, after: Duration },
    /// Another number of rows was stored than were sent.
    #[error("the server stored {stored} of {sent} rows of {table}")]
    Miscounted { table: String, sent: u64, stored: u64 },
    /// Not all rows that were sent were stored, and the statement was rolled back.
    #[error("the server did not store every row of {table} that was sent")]
    RowsDropped { table: String },
    /// The row of the pipeline could not be advanced: it is not as this instance expects, or the
    /// server has dropped the update.
    #[error("the row of the pipeline in ecom.ingest_pipeline was not updated")]
    NotAdvanced,
    /// Rows that were left out as duplicates must be copied after all. Nothing is wrong, but the
    /// epoch has to be written again.
    #[error(
        "an older epoch could not store rows that this epoch counted as duplicates, so this epoch is written again"
    )]
    RowsReinstated,
    /// A table of the user's has other column types than when it was checked.
    #[error("the column types of {table} have changed since the start: restart the program")]
    TableChanged { table: String },
}

/// What to do about a table that stores fewer rows than it is sent, without an error.
pub(crate) const LEAVES_ROWS_OUT: &str = "a trigger, a rule or row security of that table leaves rows out: drop it or \
    exempt this role; to leave events out, filter in the pipeline instead, where filtered records are counted";

const LEDGER_REFUSES: &str = "the error comes from a table of the ledger, not from the events: drop the constraint \
    or trigger that was added to ecom.dead_letters, ecom.ingest_split, ecom.ingest_pipeline or ecom.operator_state; \
    loading then continues by itself";

impl Failure {
    /// Marks the failure as one of a statement that writes the ledger.
    pub(crate) fn of_the_ledger(self) -> Self {
        match self {
            Self::Postgres(source) => Self::Ledger(source),
            other => other,
        }
    }

    /// Adds the host at which a connection could not be opened.
    pub(crate) fn at(self, host: &str) -> Self {
        match self {
            Self::Postgres(source) => Self::Connect {
                host: host.to_owned(),
                source,
            },
            other => other,
        }
    }

    /// The error of the driver, if it is one.
    fn postgres(&self) -> Option<&tokio_postgres::Error> {
        match self {
            Self::Postgres(err) | Self::Ledger(err) | Self::Connect { source: err, .. } => Some(err),
            _ => None,
        }
    }

    /// The SQLSTATE, if the server sent one.
    pub(crate) fn state(&self) -> Option<&SqlState> {
        self.postgres()?.code()
    }

    /// Whether a lock of another session was waited for too long.
    pub(crate) fn is_of_a_lock(&self) -> bool {
        self.state() == Some(&SqlState::LOCK_NOT_AVAILABLE)
    }

    /// Whether the server might accept a connection with encryption where this one had none, or
    /// the other way round.
    pub(crate) fn is_of_encryption(&self) -> bool {
        self.postgres()
            .is_some_and(|err| err.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) || is_of_tls(err))
    }

    /// What to do about it.
    pub(crate) fn action(&self) -> Action {
        match self {
            // A row without a partition is reported like a CHECK, but names none.
            Self::Postgres(err)
                if err.code() == Some(&SqlState::CHECK_VIOLATION)
                    && err.as_db_error().is_some_and(|db| db.constraint().is_some()) =>
            {
                Action::Bisect
            }
            // We know neither the partitions nor the keys of tables of the user's own.
            Self::Postgres(err)
                if matches!(
                    err.code(),
                    Some(&SqlState::CHECK_VIOLATION | &SqlState::UNIQUE_VIOLATION)
                ) && err
                    .as_db_error()
                    .and_then(|db| db.schema())
                    .is_some_and(|schema| schema != "ecom") =>
            {
                Action::Bisect
            }
            Self::Miscounted { .. } | Self::RowsDropped { .. } => Action::Pause,
            // No row is to blame, and none may be left out for it.
            Self::Ledger(err) => match action(err.code()) {
                Action::LookUpKeys | Action::MakePartitions | Action::Bisect => Action::Pause,
                other => other,
            },
            Self::RowsReinstated => Action::StartOver,
            Self::TableChanged { .. } => Action::Pause,
            _ => action(self.state()),
        }
    }

    /// Whether the transaction may have been committed although it failed.
    pub(crate) fn is_unknown_outcome(&self) -> bool {
        match self {
            // COMMIT was not sent, or came behind the error and rolled back.
            Self::Miscounted { .. } | Self::RowsDropped { .. } | Self::NotAdvanced => false,
            _ => may_have_committed(self.state()),
        }
    }

    /// What the server said about a row, for its dead letter.
    pub(crate) fn detail(&self) -> String {
        match (self.postgres(), self.postgres().and_then(|err| err.as_db_error())) {
            (_, Some(db)) => format!("{} (SQLSTATE {})", db.message(), db.code().code()),
            (Some(err), None) => err.to_string(),
            (None, None) => self.to_string(),
        }
    }

    /// The same with the row, if the server quotes it: a row that was computed is in no file.
    pub(crate) fn detail_with_row(&self) -> String {
        let db = self.postgres().and_then(|err| err.as_db_error());
        match db.and_then(|db| db.detail()) {
            Some(row) => format!("{}: {row}", self.detail()),
            None => self.detail(),
        }
    }

    /// The error for the user: `doing` failed, why, and what to do about it. A hint of the server
    /// takes precedence, since it is about this error and not about a whole class.
    pub(crate) fn into_error(self, doing: &'static str) -> Error {
        let (kind, hint) = match &self {
            Self::Ledger(err)
                if err
                    .code()
                    .is_some_and(|state| matches!(state.code().get(..2), Some("22" | "23"))) =>
            {
                (ErrorKind::Schema, Some(LEDGER_REFUSES))
            }
            Self::Postgres(err) | Self::Ledger(err) | Self::Connect { source: err, .. } => {
                connection_error::classify(err).unwrap_or_else(|| error_kind_and_hint(err.code()))
            }
            Self::Silence { .. } => error_kind_and_hint(None),
            Self::Miscounted { .. } | Self::RowsDropped { .. } => (ErrorKind::Schema, Some(LEAVES_ROWS_OUT)),
            Self::NotAdvanced | Self::RowsReinstated => (ErrorKind::Sink, None),
            Self::TableChanged { .. } => (ErrorKind::Schema, None),
            Self::NoHost => (ErrorKind::Configuration, None),
        };
        let db = self.postgres().and_then(|err| err.as_db_error());
        // What the server advises fits better than what is said of a whole class of errors.
        let hint = db
            .and_then(|db| db.hint())
            .map(str::to_owned)
            .or(hint.map(str::to_owned));
        let error = match (&self, db) {
            (Self::Connect { host, .. }, Some(_)) => {
                Error::new(kind, format!("{doing} failed: at {host}: {}", self.detail()))
            }
            (_, Some(_)) => Error::new(kind, format!("{doing} failed: {}", self.detail())),
            (_, None) => Error::new(kind, format!("{doing} failed")).caused_by(self),
        };
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// The longest time to wait for an answer of the server. TCP notices a dead link, but not a
/// server or proxy that hangs and still acknowledges every packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(pub(crate) Duration);

impl Deadline {
    /// Waits for an answer. `doing` is for the message.
    ///
    /// # Errors
    ///
    /// [`Failure::Silence`] when the deadline has passed: then the connection must be dropped,
    /// because its next answer would belong to this statement.
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
