//! The session that leads a pipeline: it holds the advisory lock and the fence, and reads the
//! ledger.
//!
//! The session is opened again when it breaks. A new session first terminates the old one, since
//! the server may not have noticed yet that it is dead, and then compares the fence: if another
//! instance has raised it, this one stops leading.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ecom_stream::{Error, ErrorKind, Result, crash_point};
use postgres_types::ToSql;
use tokio::sync::{Mutex, watch};
use tokio_postgres::{Row, Statement};

use super::instance_state::{InstanceState, InstanceStateSender};
use super::lock::try_lock;
use crate::connect::{BY_KEY, Connection, Connector, TextEncoding};
use crate::failure::{Action, Failure, PAUSE, delays};

/// How often a leader checks that its fence still holds.
const PING_EVERY: Duration = Duration::from_secs(1);

/// The session that leads a pipeline. It is opened again when it breaks.
#[derive(Debug)]
pub(crate) struct Leader {
    connector: Connector,
    pipeline: String,
    pipeline_id: i64,
    /// The fence that this instance has raised. Commits check that it is still in the ledger.
    fence: i64,
    /// What the texts of the ledger may contain.
    encoding: TextEncoding,
    session: Mutex<Session>,
    /// Whether this instance knows that another one has taken over.
    is_fenced: watch::Sender<bool>,
    state_sender: InstanceStateSender,
}

/// The current connection, if there is one, and what belongs to it.
#[derive(Debug, Default)]
struct Session {
    connection: Option<Connection>,
    /// Prepared statements of this connection, by their text.
    statements: HashMap<&'static str, Statement>,
    /// Whether this connection has the advisory lock. A new one may have to wait until the server
    /// has ended the old session.
    holds_lock: bool,
    /// The server process of the last connection. The server may not know yet that it is dead.
    last_backend_pid: Option<i32>,
}

/// What became of an epoch whose COMMIT was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitOutcome {
    /// It is durable.
    Committed,
    /// It is not durable, and never will be.
    Aborted,
}

impl Leader {
    /// A leader of a pipeline whose lock `connection` holds and whose fence was raised to
    /// `fence`.
    pub(crate) fn new(
        connector: Connector,
        connection: Connection,
        pipeline: &str,
        pipeline_id: i64,
        fence: i64,
        state_sender: InstanceStateSender,
    ) -> Self {
        Self {
            connector,
            pipeline: pipeline.to_owned(),
            pipeline_id,
            fence,
            encoding: connection.encoding,
            session: Mutex::new(Session {
                last_backend_pid: Some(connection.backend_pid),
                connection: Some(connection),
                statements: HashMap::new(),
                holds_lock: true,
            }),
            is_fenced: watch::Sender::new(false),
            state_sender,
        }
    }

    /// How its connections are opened. All sessions of an instance have one `application_name`,
    /// by which they find each other.
    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// The name of the pipeline.
    pub(crate) fn pipeline(&self) -> &str {
        &self.pipeline
    }

    /// How texts are kept in the ledger.
    pub(crate) fn encoding(&self) -> TextEncoding {
        self.encoding
    }

    /// Where the writers report that they fail, or no longer do.
    pub(crate) fn state_sender(&self) -> &InstanceStateSender {
        &self.state_sender
    }

    /// The fence that this instance has raised.
    pub(crate) fn fence(&self) -> i64 {
        self.fence
    }

    /// Spawns a task that reads the fence every second, so that a broken session is opened again,
    /// and a takeover noticed, even while nothing is written. The task ends with the leader, or
    /// once another instance has taken over.
    pub(crate) fn keep_leading(self: &Arc<Self>) {
        let leader = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(PING_EVERY).await;
                let Some(leader) = leader.upgrade() else { return };
                let mut session = leader.session.lock().await;
                match leader.try_query(&mut session, FENCE, &[&leader.pipeline]).await {
                    Ok(rows) if leader.is_fence_of_ours(rows.first()) => leader.state_sender.leading_fails(None),
                    Ok(_) | Err(Failure::LedgerRowChanged { .. }) => {
                        leader.state_sender.set_phase(InstanceState::Superseded);
                        leader.is_fenced.send_replace(true);
                        return;
                    }
                    Err(failure) => {
                        session.connection = None;
                        let why = failure.into_error("reading the ledger").report();
                        leader.state_sender.leading_fails(Some(why));
                    }
                }
            }
        });
    }

    /// Runs a query on the ledger, again and again until it succeeds. Only for statements that
    /// may run twice.
    ///
    /// # Errors
    ///
    /// `Fenced` when another instance has taken over. All other failures are retried without
    /// limit.
    pub(crate) async fn query(&self, statement: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let mut session = self.session.lock().await;
        let mut delays = delays();
        loop {
            let failure = match self.try_query(&mut session, statement, params).await {
                Ok(rows) => return Ok(rows),
                Err(Failure::LedgerRowChanged { .. }) => return Err(self.fenced_error()),
                Err(failure) => failure,
            };
            session.connection = None;
            match failure.action() {
                Action::Pause => {
                    tracing::error!("paused: {}", failure.into_error("reading the ledger").report());
                    tokio::time::sleep(PAUSE).await;
                }
                _ => tracing::warn!("trying again: {}", failure.into_error("reading the ledger").report()),
            }
            tokio::time::sleep(delays.next().unwrap_or_default()).await;
        }
    }

    /// Runs a query once, on a new connection if the last one broke.
    async fn try_query(
        &self,
        session: &mut Session,
        statement: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        let deadline = self.connector.deadline;
        if session
            .connection
            .as_ref()
            .is_none_or(|connection| connection.client.is_closed())
        {
            session.statements.clear();
            session.holds_lock = false;
            session.connection = Some(self.lead_again(session.last_backend_pid).await?);
        }
        let Some(connection) = &session.connection else {
            return Err(self.ledger_row_changed());
        };
        session.last_backend_pid = Some(connection.backend_pid);
        if !session.holds_lock {
            // Until the old session has ended it still has the lock. Without it another instance may be about to take over:
            // the fence will tell at the next commit.
            session.holds_lock = try_lock(connection, self.pipeline_id, deadline).await?;
        }
        let prepared = match session.statements.get(statement) {
            Some(prepared) => prepared.clone(),
            None => {
                if session.statements.is_empty() {
                    // These few questions come for each file, and planning them takes longer than answering.
                    let plan_once = format!("{BY_KEY}; SET plan_cache_mode = force_generic_plan");
                    deadline
                        .of("preparing statements", connection.client.batch_execute(&plan_once))
                        .await?;
                }
                let prepared = deadline
                    .of("preparing statements", connection.client.prepare(statement))
                    .await?;
                session.statements.insert(statement, prepared.clone());
                prepared
            }
        };
        deadline
            .of("reading the ledger", connection.client.query(&prepared, params))
            .await
    }

    /// Opens a new session in place of one that broke, unless another instance has led meanwhile.
    async fn lead_again(&self, last_backend_pid: Option<i32>) -> Result<Connection, Failure> {
        let connection = self.connector.connect().await?;
        if let Some(pid) = last_backend_pid {
            self.connector
                .deadline
                .of("ending a session", connection.client.query(END_BACKEND, &[&pid]))
                .await?;
        }
        let fence = self
            .connector
            .deadline
            .of(
                "reading the fence",
                connection.client.query_opt(FENCE, &[&self.pipeline]),
            )
            .await?;
        match self.is_fence_of_ours(fence.as_ref()) {
            true => Ok(connection),
            false => Err(self.ledger_row_changed()),
        }
    }

    /// The failure that says that another instance has raised the fence.
    fn ledger_row_changed(&self) -> Failure {
        Failure::LedgerRowChanged {
            pipeline: self.pipeline.clone(),
        }
    }

    /// Whether the row of the ledger has the fence that this instance has raised.
    fn is_fence_of_ours(&self, row: Option<&Row>) -> bool {
        row.is_some_and(|row| row.get::<_, i64>(0) == self.fence)
    }

    /// Waits until another instance has taken over. This is noticed within seconds, even if there
    /// is nothing to commit.
    pub(crate) async fn wait_fenced(&self) {
        // The sender is ours, so that it is never gone.
        let _ = self.is_fenced.subscribe().wait_for(|is_fenced| *is_fenced).await;
    }

    /// Finds out what became of an epoch whose transaction ended without an answer. `writer_pid`
    /// is the server process that ran it; it is terminated first, because as long as it lives it
    /// could still commit.
    ///
    /// The ledger decides: if its epoch is `epoch` or later, the epoch is durable; if it is the
    /// one before, the epoch was rolled back.
    ///
    /// # Errors
    ///
    /// `Fenced` when another instance has taken over; `Sink` when the ledger is further behind,
    /// that is, when the server has lost commits that it had acknowledged.
    pub(crate) async fn resolve_unknown_commit(&self, epoch: i64, writer_pid: Option<i32>) -> Result<CommitOutcome> {
        if let Some(pid) = writer_pid {
            // As long as that process lives it could still commit.
            self.end_backend(pid).await?;
        }
        let rows = self
            .query(
                "SELECT fence, epoch FROM ecom.ingest_pipeline WHERE pipeline = $1 FOR UPDATE",
                &[&self.pipeline],
            )
            .await?;
        crash_point!("settle.known");
        match rows.first() {
            Some(row) if row.get::<_, i64>(0) == self.fence => match row.get::<_, i64>(1) {
                committed if committed >= epoch => Ok(CommitOutcome::Committed),
                committed if committed == epoch - 1 => Ok(CommitOutcome::Aborted),
                committed => {
                    let message = format!(
                        "the ledger is at epoch {committed}, but the server had acknowledged epoch {}: it has lost \
                         commits",
                        epoch - 1
                    );
                    Err(Error::new(ErrorKind::Sink, message).hint(
                        "start again: files that are still in the input directory are read from the position in the \
                         ledger; move back the files that were archived since then",
                    ))
                }
            },
            _ => Err(self.fenced_error()),
        }
    }

    /// Terminates a server process of this instance, if it is alive, and waits until it is gone:
    /// then its locks are free.
    pub(crate) async fn end_backend(&self, pid: i32) -> Result<()> {
        self.query(END_BACKEND, &[&pid]).await?;
        crash_point!("settle.ended_backend");
        let mut delays = delays();
        while !self.query(BACKEND_OF, &[&pid]).await?.is_empty() {
            tokio::time::sleep(delays.next().unwrap_or_default()).await;
        }
        Ok(())
    }

    /// The error for the user when another instance has taken over. It also sets the state.
    pub(crate) fn fenced_error(&self) -> Error {
        self.state_sender.set_phase(InstanceState::Superseded);
        let message = format!("another instance has taken over pipeline {:?}", self.pipeline);
        Error::new(ErrorKind::Fenced, message).hint(
            "this instance has committed nothing since then and stops; do not restart it while the other one runs",
        )
    }
}

/// The fence of a pipeline.
const FENCE: &str = "SELECT fence FROM ecom.ingest_pipeline WHERE pipeline = $1";

/// A process of this instance with that number. The number alone is not enough: the server may
/// have given it to another process meanwhile.
///
/// The role is the one that logged in: SET ROLE, which may be a setting of that role, does not
/// change what the server shows.
const BACKEND_OF: &str = "SELECT pid FROM pg_stat_activity WHERE pid = $1 AND usename = session_user \
                          AND application_name = current_setting('application_name')";
/// Terminates it, as the role that logged in: another one may not. The role is changed for this
/// statement only, before the function is called.
const END_BACKEND: &str = "SELECT set_config('role', 'none', true), pg_terminate_backend(pid) FROM pg_stat_activity \
                           WHERE pid = $1 AND usename = session_user AND application_name = current_setting('application_name')";
