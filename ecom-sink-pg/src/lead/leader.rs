//! The session that leads a pipeline: it holds the advisory lock and the fence, and reads the
//! ledger.
//!
//! The session is opened again when it breaks. A new session first terminates the old one, since
//! the server may not have noticed yet that it is dead, and then reads the row of the pipeline: if
//! another instance leads, or commits are missing, this one stops leading.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};
use std::time::Duration;

use ecom_stream::{Error, Position, Result, crash_point};
use postgres_types::ToSql;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tokio_postgres::{Row, Statement};

use super::acknowledged::Acknowledged;
use super::instance_state::{InstanceState, InstanceStateSender};
use super::lock::try_lock;
use super::lost_commits;
use super::step_down::{LOCKED_PIPELINE_ROW, PIPELINE_ROW, PipelineRow, StepDown, Token};
use crate::connect::{BY_KEY, Connection, Connector, TextEncoding};
use crate::failure::{Action, Failure, PAUSE, delays};

/// How often a leader checks that it still leads.
const PING_EVERY: Duration = Duration::from_secs(1);

/// After this long without an answer the instance counts as failing, while it waits on.
const SILENT_AFTER: Duration = Duration::from_secs(5);

/// The session that leads a pipeline. It is opened again when it breaks.
#[derive(Debug)]
pub(crate) struct Leader {
    connector: Connector,
    pipeline: String,
    pipeline_id: i64,
    /// What this instance has written into the row of the pipeline. Commits check that it is still
    /// there.
    token: Token,
    /// What the texts of the ledger may contain.
    encoding: TextEncoding,
    session: Mutex<Session>,
    acknowledged: SyncMutex<Acknowledged>,
    /// Why this instance has stopped leading.
    stepped_down: watch::Sender<Option<StepDown>>,
    state_sender: InstanceStateSender,
}

/// Why a query on the ledger has no result.
enum QueryError {
    /// It failed, and may be tried again.
    Failed(Failure),
    /// This instance does not lead any more.
    SteppedDown(StepDown),
}

impl From<Failure> for QueryError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
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
    /// A leader of a pipeline whose lock `connection` holds and whose row has `token`. `epoch` is the
    /// last one that was committed.
    pub(crate) fn new(
        connector: Connector,
        connection: Connection,
        pipeline: &str,
        pipeline_id: i64,
        token: Token,
        epoch: i64,
        state_sender: InstanceStateSender,
    ) -> Self {
        Self {
            connector,
            pipeline: pipeline.to_owned(),
            pipeline_id,
            token,
            encoding: connection.encoding,
            session: Mutex::new(Session {
                last_backend_pid: Some(connection.backend_pid),
                connection: Some(connection),
                statements: HashMap::new(),
                holds_lock: true,
            }),
            acknowledged: SyncMutex::new(Acknowledged::new(epoch)),
            stepped_down: watch::Sender::new(None),
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

    /// What commits must find in the row of the pipeline.
    pub(crate) fn token(&self) -> Token {
        self.token
    }

    /// Remembers a commit, so that it is noticed if the server loses it. Call it before the next
    /// epoch may commit.
    pub(crate) fn committed(&self, epoch: i64, positions: &[Position]) {
        self.acknowledged().add(epoch, positions);
    }

    fn acknowledged(&self) -> MutexGuard<'_, Acknowledged> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spawns a task that reads the row of the pipeline every second, so that a broken session is
    /// opened again, and the end of the lead noticed, even while nothing is written. The task ends
    /// with the leader, or once it has stepped down.
    pub(crate) fn keep_leading(self: &Arc<Self>) {
        let leader = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(PING_EVERY).await;
                let Some(leader) = leader.upgrade() else { return };
                let mut ping = std::pin::pin!(leader.ping());
                let answered = match tokio::time::timeout(SILENT_AFTER, ping.as_mut()).await {
                    Ok(answered) => answered,
                    Err(_) => {
                        let why = format!("no answer from the server for {} seconds", SILENT_AFTER.as_secs());
                        leader.state_sender.leading_is_silent(why);
                        ping.await
                    }
                };
                match answered {
                    Ok(()) => leader.state_sender.leading_fails(None),
                    Err(QueryError::SteppedDown(_)) => return,
                    Err(QueryError::Failed(failure)) => {
                        let why = failure.into_error("reading the ledger").report();
                        leader.state_sender.leading_fails(Some(why));
                    }
                }
            }
        });
    }

    /// Checks once that this instance leads, and whether commits that the server had lost are there
    /// again.
    async fn ping(&self) -> Result<(), QueryError> {
        let mut session = self.session.lock().await;
        let pinged = self.try_ping(&mut session).await;
        if pinged.is_err() {
            session.connection = None;
        }
        pinged
    }

    async fn try_ping(&self, session: &mut Session) -> Result<(), QueryError> {
        let acknowledged = self.acknowledged().epoch;
        let params: [&(dyn ToSql + Sync); 2] = [&self.pipeline, &self.token.holder];
        let rows = self.try_query(session, PIPELINE_ROW, &params).await?;
        self.epoch_of(&rows, acknowledged)?;
        if let Some(connection) = &session.connection {
            let deadline = self.connector.deadline;
            lost_commits::check_again(&connection.client, deadline, &self.pipeline, &self.state_sender).await?;
        }
        Ok(())
    }

    /// Checks once more, at the end of a run, that what it has committed is there. A server that
    /// cannot be reached is not waited for.
    ///
    /// # Errors
    ///
    /// Those of [`wait_step_down`](Self::wait_step_down).
    pub(crate) async fn check_at_end(&self) -> Result<()> {
        match tokio::time::timeout(SILENT_AFTER, self.ping()).await {
            Ok(Err(QueryError::SteppedDown(why))) => Err(why.error(&self.pipeline)),
            _ => Ok(()),
        }
    }

    /// The epoch of the ledger. If the row that was read shows that this instance does not lead, it
    /// steps down. `acknowledged` is the last commit that was known before the query.
    fn epoch_of(&self, rows: &[Row], acknowledged: i64) -> Result<i64, QueryError> {
        let row = rows.first().map(PipelineRow::of);
        let known = self.acknowledged().epoch;
        PipelineRow::epoch_of(row, self.token, acknowledged, known)
            .map_err(|why| QueryError::SteppedDown(self.step_down(why)))
    }

    /// Stops leading: nothing is committed from now on, and the run ends with the error of the first
    /// reason.
    fn step_down(&self, why: StepDown) -> StepDown {
        self.stepped_down.send_if_modified(|stepped_down| {
            let is_first = stepped_down.is_none();
            if is_first {
                match why {
                    StepDown::TakenOver => self.state_sender.set_phase(InstanceState::Superseded),
                    _ => {
                        let doubted = self.acknowledged().doubted(why.ledger_epoch(), Instant::now());
                        self.state_sender.add_doubted(doubted);
                        let why = why.error(&self.pipeline).report();
                        self.state_sender.leading_fails(Some(why));
                    }
                }
                *stepped_down = Some(why.clone());
            }
            is_first
        });
        self.stepped_down.borrow().clone().unwrap_or(why)
    }

    /// Runs a query on the ledger, again and again until it succeeds. Only for statements that
    /// may run twice.
    ///
    /// # Errors
    ///
    /// `Fenced` when another instance has taken over, `Stale` when this one does not lead any more
    /// for another reason. All other failures are retried without limit.
    pub(crate) async fn query(&self, statement: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let mut session = self.session.lock().await;
        let mut delays = delays();
        loop {
            let failure = match self.try_query(&mut session, statement, params).await {
                Ok(rows) => {
                    self.state_sender.leading_fails(None);
                    return Ok(rows);
                }
                Err(QueryError::SteppedDown(why)) => return Err(why.error(&self.pipeline)),
                Err(QueryError::Failed(failure)) => failure,
            };
            session.connection = None;
            let action = failure.action();
            let why = failure.into_error("reading the ledger").report();
            match action {
                Action::Pause => tracing::error!("paused: {why}"),
                _ => tracing::warn!("trying again: {why}"),
            }
            // Nobody else notices while this waits: the session is in use.
            self.state_sender.leading_fails(Some(why));
            if action == Action::Pause {
                tokio::time::sleep(PAUSE).await;
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
    ) -> Result<Vec<Row>, QueryError> {
        if let Some(why) = self.stepped_down.borrow().clone() {
            return Err(QueryError::SteppedDown(why));
        }
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
            return Err(Failure::NoHost.into());
        };
        session.last_backend_pid = Some(connection.backend_pid);
        if !session.holds_lock {
            // Until the old session has ended it still has the lock. Without it another instance may be about to lead: the
            // row of the pipeline will tell at the next commit.
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
        let rows = connection.client.query(&prepared, params);
        Ok(deadline.of("reading the ledger", rows).await?)
    }

    /// Opens a new session in place of one that broke, unless this instance does not lead any more.
    async fn lead_again(&self, last_backend_pid: Option<i32>) -> Result<Connection, QueryError> {
        let connection = self.connector.connect().await?;
        if let Some(pid) = last_backend_pid {
            self.connector
                .deadline
                .of("ending a session", connection.client.query(END_BACKEND, &[&pid]))
                .await?;
        }
        let acknowledged = self.acknowledged().epoch;
        let params: [&(dyn ToSql + Sync); 2] = [&self.pipeline, &self.token.holder];
        let row = connection.client.query(PIPELINE_ROW, &params);
        let row = self.connector.deadline.of("reading the ledger", row).await?;
        self.epoch_of(&row, acknowledged)?;
        Ok(connection)
    }

    /// Stops leading, since rejects of a file that this run reads again were retried meanwhile. Returns the error for the user.
    pub(crate) fn retried_meanwhile(&self) -> Error {
        let ledger_epoch = self.acknowledged().epoch;
        self.step_down(StepDown::RetriedMeanwhile { ledger_epoch })
            .error(&self.pipeline)
    }

    /// Waits until this instance does not lead any more, and returns the error for the user. This is
    /// noticed within seconds, even if there is nothing to commit.
    pub(crate) async fn wait_step_down(&self) -> Error {
        let mut stepped_down = self.stepped_down.subscribe();
        // The sender is ours, so that it is never gone.
        let why = stepped_down.wait_for(Option::is_some).await;
        let why = why.ok().and_then(|why| why.clone()).unwrap_or(StepDown::Unknown);
        why.error(&self.pipeline)
    }

    /// Finds out what became of an epoch whose transaction ended without an answer. `writer_pid`
    /// is the server process that ran it; it is terminated first, because as long as it lives it
    /// could still commit.
    ///
    /// The ledger decides: if this instance leads and the epoch of the ledger is `epoch`, it is
    /// durable; if that is the one before, `epoch` was rolled back. Any other epoch is not of this
    /// instance.
    ///
    /// # Errors
    ///
    /// `Fenced` when another instance has taken over; `Stale` when another one leads, when the
    /// server has lost commits that it had acknowledged, or when it has commits of somebody else.
    pub(crate) async fn resolve_unknown_commit(&self, epoch: i64, writer_pid: Option<i32>) -> Result<CommitOutcome> {
        if let Some(pid) = writer_pid {
            // As long as that process lives it could still commit.
            self.end_backend(pid).await?;
        }
        let acknowledged = self.acknowledged().epoch;
        let rows = self
            .query(LOCKED_PIPELINE_ROW, &[&self.pipeline, &self.token.holder])
            .await?;
        crash_point!("settle.known");
        match self.epoch_of(&rows, acknowledged) {
            Ok(committed) if committed == epoch => Ok(CommitOutcome::Committed),
            Ok(_) => Ok(CommitOutcome::Aborted),
            Err(QueryError::SteppedDown(why)) => Err(why.error(&self.pipeline)),
            Err(QueryError::Failed(failure)) => Err(failure.into_error("reading the ledger")),
        }
    }

    /// Checks the row of the pipeline after the server has refused to advance it, which has rolled
    /// `epoch` back.
    ///
    /// # Errors
    ///
    /// Those of [`resolve_unknown_commit`](Self::resolve_unknown_commit). No error if the row is as
    /// this instance left it.
    pub(crate) async fn check_not_advanced(&self, epoch: i64) -> Result<()> {
        match self.resolve_unknown_commit(epoch, None).await? {
            CommitOutcome::Aborted => Ok(()),
            // It was rolled back, so somebody else has counted the epoch on.
            CommitOutcome::Committed => {
                let (acknowledged, ledger_epoch) = (epoch - 1, epoch);
                let why = self.step_down(StepDown::Ahead {
                    acknowledged,
                    ledger_epoch,
                });
                Err(why.error(&self.pipeline))
            }
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
}

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
