//! Why an attempt failed, before it is decided whether the user sees it as an error.

use std::future::Future;
use std::time::Duration;

use ecom_stream::{Error, ErrorKind};
use tokio_postgres::error::{DbError, SqlState};

use super::connection_error::{self, is_of_read_only, is_of_tls};
use super::sqlstate::{Action, Blame, Step, action, blame, error_kind_and_hint, may_have_committed};

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
    /// A statement of that step failed.
    #[error("{step}")]
    At { step: Step, source: tokio_postgres::Error },
    /// The server rejects every row that was tried, so that no row is to blame.
    #[error("the server rejects every row that was tried")]
    EveryRowRejected(#[source] Box<Failure>),
    /// The role is set to read only, on a server that would accept writes.
    #[error("the role {role} may only read: default_transaction_read_only is on for it")]
    ReadOnlyRole { role: String },
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
    /// Splits whose records are read again could not be withdrawn: something of them was stored since.
    #[error("a file that is being read again has records that were stored meanwhile")]
    NotWithdrawn,
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

const CODE_REJECTS: &str = "a trigger or function of the database rejects every row: change it, and loading continues by \
    itself; if each row is to become a dead letter instead, let it name its rule (RAISE … USING CONSTRAINT = 'my_rule')";

const DATABASE_REJECTS: &str = "no row was accepted, so the table or what its triggers use is not as it should be: mend it, \
    and loading continues by itself";

const PARTITIONS_REFUSED: &str = "the database refuses to create partitions of ecom.events, such as by an event trigger: let \
    ecom.ensure_partitions(date[]) pass, or create the partitions of these days yourself; loading then continues by itself";

const READ_ONLY_ROLE: &str = "connect as a role that may write: loading needs the privileges of ecom_writer, and maintenance, \
    retries and migrations need the owner of the schema; sql/roles.sql creates the roles";

const SEQUENCE_BEHIND: &str = "the sequence of the table is behind its rows, as after the promotion of a logical replica: run \
    SELECT ecom.catch_up_sequences() as the owner of the schema";

const LEDGER_REFUSES: &str = "the error comes from a table of the ledger, not from the events: drop the constraint \
    or trigger that was added to ecom.dead_letters, ecom.ingest_split, ecom.ingest_pipeline or ecom.operator_state; \
    loading then continues by itself";

impl Failure {
    /// Marks the failure as one of that step.
    pub(crate) fn at_step(self, step: Step) -> Self {
        match self {
            Self::Postgres(source) => Self::At { step, source },
            other => other,
        }
    }

    /// The step in which it came.
    pub(crate) fn step(&self) -> Step {
        match self {
            Self::At { step, .. } => *step,
            Self::Connect { .. } => Step::Connect,
            Self::EveryRowRejected(failure) => failure.step(),
            _ => Step::Session,
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
            Self::Postgres(err) | Self::At { source: err, .. } | Self::Connect { source: err, .. } => Some(err),
            Self::EveryRowRejected(failure) => failure.postgres(),
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

    /// Whether it was refused because the server accepts no writes.
    pub(crate) fn is_of_read_only(&self) -> bool {
        self.postgres().is_some_and(is_of_read_only)
    }

    /// What to do about it.
    pub(crate) fn action(&self) -> Action {
        match self {
            Self::Miscounted { .. }
            | Self::RowsDropped { .. }
            | Self::TableChanged { .. }
            | Self::EveryRowRejected(_)
            | Self::ReadOnlyRole { .. } => Action::Pause,
            Self::RowsReinstated => Action::StartOver,
            Self::At {
                step: step @ (Step::Rows | Step::Commit),
                ..
            } => self.action_on_rows(*step),
            _ => action(self.step(), self.state()),
        }
    }

    /// What to do about an error while rows are on their way.
    fn action_on_rows(&self, step: Step) -> Action {
        let Some(db) = self.db_error() else {
            return action(step, self.state());
        };
        // A function rejects a row, whatever code it chose, unless it asks for another try.
        if is_raised(db) && action(step, Some(db.code())) != Action::Retry {
            return Action::Bisect;
        }
        // We know neither the partitions nor the keys of tables of the user's own.
        let is_of_ours = db.schema().is_none_or(|schema| schema == "ecom");
        match *db.code() {
            SqlState::CHECK_VIOLATION if is_of_ours && lacks_partition(db) => Action::MakePartitions,
            SqlState::UNIQUE_VIOLATION if !is_of_ours => Action::Bisect,
            _ => action(step, Some(db.code())),
        }
    }

    /// Whether a function raised it on purpose.
    pub(crate) fn is_raised(&self) -> bool {
        self.db_error().is_some_and(is_raised)
    }

    /// Who is to blame if every row is rejected with it.
    pub(crate) fn blame(&self) -> Blame {
        match self.db_error() {
            // A rule with a name is about rows.
            Some(db) if db.constraint().is_some() => Blame::Rows,
            Some(db) if is_raised(db) => Blame::Code,
            db => match blame(self.state()) {
                Blame::Rows if db.is_some_and(is_in_function) => Blame::Code,
                blame => blame,
            },
        }
    }

    /// Whether the number that a sequence of the ledger gave is taken.
    fn is_of_a_sequence(&self) -> bool {
        let numbers = ["dead_letters_pkey", "ingest_pipeline_pipeline_id_key"];
        self.db_error().is_some_and(|db| {
            *db.code() == SqlState::UNIQUE_VIOLATION && db.constraint().is_some_and(|name| numbers.contains(&name))
        })
    }

    /// Whether a rule or a function of the database refused what was done.
    fn is_refused(&self) -> bool {
        let class = self.state().and_then(|state| state.code().get(..2));
        let is_of_server = matches!(class, None | Some("53" | "58" | "F0"));
        let is_refusal = class == Some("23") || self.blame() != Blame::Database;
        self.action() == Action::Pause && is_refusal && !is_of_server
    }

    /// The error of the server, if it sent one.
    fn db_error(&self) -> Option<&DbError> {
        self.postgres()?.as_db_error()
    }

    /// Whether the transaction may have been committed although it failed.
    pub(crate) fn is_unknown_outcome(&self) -> bool {
        match self {
            // COMMIT was not sent, or came behind the error and rolled back.
            Self::Miscounted { .. } | Self::RowsDropped { .. } | Self::NotAdvanced | Self::NotWithdrawn => false,
            _ => may_have_committed(self.state()),
        }
    }

    /// What the server said about a row, for its dead letter.
    pub(crate) fn detail(&self) -> String {
        match (self.db_error(), self.postgres()) {
            (Some(db), _) => format!("{} (SQLSTATE {})", db.message(), db.code().code()),
            (None, Some(err)) => err.to_string(),
            (None, None) => self.to_string(),
        }
    }

    /// The same with the row, if the server quotes it: a row that was computed is in no file.
    pub(crate) fn detail_with_row(&self) -> String {
        match self.db_error().and_then(|db| db.detail()) {
            Some(row) => format!("{}: {row}", self.detail()),
            None => self.detail(),
        }
    }

    /// The error for the user: `doing` failed, why, and what to do about it. A hint of the server
    /// takes precedence, since it is about this error and not about a whole class.
    pub(crate) fn into_error(self, doing: &'static str) -> Error {
        let (kind, hint) = match &self {
            _ if self.is_of_a_sequence() => (ErrorKind::Schema, Some(SEQUENCE_BEHIND)),
            Self::At { step: Step::Ledger, .. } if self.is_refused() => (ErrorKind::Schema, Some(LEDGER_REFUSES)),
            Self::At {
                step: Step::Partitions, ..
            } if self.is_refused() => (ErrorKind::Schema, Some(PARTITIONS_REFUSED)),
            Self::EveryRowRejected(failure) => match failure.blame() {
                Blame::Database => (ErrorKind::Schema, Some(DATABASE_REJECTS)),
                Blame::Rows | Blame::Code => (ErrorKind::Schema, Some(CODE_REJECTS)),
            },
            Self::Postgres(err) | Self::At { source: err, .. } | Self::Connect { source: err, .. } => {
                connection_error::classify(err).unwrap_or_else(|| error_kind_and_hint(err.code()))
            }
            Self::Silence { .. } => error_kind_and_hint(None),
            Self::Miscounted { .. } | Self::RowsDropped { .. } => (ErrorKind::Schema, Some(LEAVES_ROWS_OUT)),
            Self::NotAdvanced | Self::NotWithdrawn | Self::RowsReinstated => (ErrorKind::Sink, None),
            Self::TableChanged { .. } => (ErrorKind::Schema, None),
            Self::ReadOnlyRole { .. } => (ErrorKind::Configuration, Some(READ_ONLY_ROLE)),
            Self::NoHost => (ErrorKind::Configuration, None),
        };
        let db = self.db_error();
        // What the server advises fits better than what is said of a whole class of errors.
        let hint = db
            .and_then(|db| db.hint())
            .map(str::to_owned)
            .or(hint.map(str::to_owned));
        let error = match (&self, db) {
            (Self::Connect { host, .. }, Some(_)) => {
                Error::new(kind, format!("{doing} failed: at {host}: {}", self.detail()))
            }
            (Self::EveryRowRejected(_), Some(_)) => {
                Error::new(kind, format!("{doing} failed: {self}: {}", self.detail()))
            }
            (
                Self::At {
                    step: step @ Step::Partitions,
                    ..
                },
                Some(_),
            ) => Error::new(kind, format!("{step} failed: {}", self.detail())),
            (_, Some(_)) => Error::new(kind, format!("{doing} failed: {}", self.detail())),
            (_, None) => Error::new(kind, format!("{doing} failed")).caused_by(self),
        };
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Whether a function raised it on purpose: RAISE or ASSERT of PL/pgSQL. Unlike the message, the
/// name of the server's own function is in no other language.
fn is_raised(db: &DbError) -> bool {
    matches!(db.routine(), Some("exec_stmt_raise" | "exec_stmt_assert"))
}

/// Whether it came in a function that the server called, such as a trigger.
fn is_in_function(db: &DbError) -> bool {
    // "PL/pgSQL function …", "SQL statement …": these words stay in translations.
    db.where_()
        .is_some_and(|context| context.contains("PL/") || context.contains("SQL"))
}

/// Whether there is no partition for a row. It is reported like a CHECK, but names none.
fn lacks_partition(db: &DbError) -> bool {
    db.constraint().is_none() && db.routine().is_none_or(|routine| routine == "ExecFindPartition")
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
