//! The session that leads a pipeline: it holds the advisory lock, has the fence, and answers questions to the ledger.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use ecom_stream::{Error, ErrorKind, Result, Topology};
use tokio::sync::Mutex;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use crate::action::Action;
use crate::connect::{Connection, Connector};
use crate::failure::Failure;

/// The first of the two numbers of our advisory locks ("ecom"); the second is the pipeline's.
const LOCK_CLASS: i32 = 0x65_63_6f_6d;

/// How often a pipeline that stands by looks whether it is its turn.
const STAND_BY_POLL: Duration = Duration::from_millis(500);

/// Delays between tries, with jitter, for ever.
pub(crate) fn delays() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(5))
        .without_max_times()
        .build()
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Leader {
    connector: Connector,
    pipeline: String,
    pipeline_id: i64,
    fence: i64,
    session: Mutex<Session>,
}

#[derive(Debug, Default)]
struct Session {
    connection: Option<Connection>,
    statements: HashMap<&'static str, Statement>,
    /// Ours as well, but perhaps not known to be dead by the server.
    last_backend_pid: Option<i32>,
}

/// What a leader takes over.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) leader: Arc<Leader>,
    /// The last epoch that was committed.
    pub(crate) epoch: i64,
    /// The highest split id that was given out.
    pub(crate) last_split_id: i64,
}

/// What became of an epoch whose commit was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is durable.
    Committed,
    /// It is not, and never will be.
    Aborted,
}

/// Split ids are numbered by pipeline, so that pipelines need not ask each other.
const SPLIT_IDS_PER_PIPELINE: i64 = 1_000_000_000_000;

impl Leader {
    /// Becomes the leader of a pipeline, waiting until no other instance is. `moved` lets its sources be elsewhere than
    /// before. A server that can't be reached is tried for as long as `wait_for_server`.
    pub(crate) async fn claim(
        connector: Connector,
        pipeline: &str,
        topology: &Topology,
        moved: bool,
        wait_for_server: Duration,
    ) -> Result<Claim> {
        loop {
            let connection = connector.connect_within(wait_for_server).await?;
            match Self::claim_with(connection, connector.clone(), pipeline, topology, moved).await {
                // It broke while standing by.
                Err(err) if err.kind() == ErrorKind::Unavailable => tracing::warn!("trying again: {}", err.report()),
                claimed => return claimed,
            }
        }
    }

    async fn claim_with(
        connection: Connection,
        connector: Connector,
        pipeline: &str,
        topology: &Topology,
        moved: bool,
    ) -> Result<Claim> {
        let client = &connection.client;
        let failed = |err: tokio_postgres::Error| Failure::from(err).into_error("claiming the pipeline");
        client
            .execute(
                "INSERT INTO ecom.ingest_pipeline (pipeline) VALUES ($1) ON CONFLICT (pipeline) DO NOTHING",
                &[&pipeline],
            )
            .await
            .map_err(failed)?;
        let row = client
            .query_one(
                "SELECT pipeline_id FROM ecom.ingest_pipeline WHERE pipeline = $1",
                &[&pipeline],
            )
            .await
            .map_err(failed)?;
        let pipeline_id: i64 = row.get(0);
        let mut waiting = false;
        while !try_lock(&connection, pipeline_id)
            .await
            .map_err(|failure| failure.into_error("claiming the pipeline"))?
        {
            if !waiting {
                waiting = true;
                let holder = holder(&connection, pipeline_id).await.unwrap_or_default();
                tracing::info!("standing by: pipeline {pipeline:?} is run by {holder}; taking over when that ends");
            }
            tokio::time::sleep(STAND_BY_POLL).await;
        }
        if waiting {
            tracing::info!("taking over pipeline {pipeline:?}");
        }
        let known = client
            .query(
                "SELECT key, value FROM ecom.ingest_pipeline, jsonb_each_text(sources) WHERE pipeline = $1",
                &[&pipeline],
            )
            .await
            .map_err(failed)?;
        for row in known {
            check_location(pipeline, topology, row.get(0), row.get(1), moved)?;
        }
        let (names, locations): (Vec<&str>, Vec<&str>) = topology
            .sources()
            .iter()
            .map(|source| (source.name.as_str(), source.location.as_str()))
            .unzip();
        let row = client
            .query_one(
                "UPDATE ecom.ingest_pipeline SET fence = fence + 1, started_at = now(), \
                 holder = current_setting('application_name'), \
                 sources = sources || jsonb_object($2::text[], $3::text[]) \
                 WHERE pipeline = $1 RETURNING fence, epoch",
                &[&pipeline, &names, &locations],
            )
            .await
            .map_err(failed)?;
        let (fence, epoch) = (row.get(0), row.get(1));
        let first = pipeline_id * SPLIT_IDS_PER_PIPELINE;
        let row = client
            .query_one(
                "SELECT coalesce(max(split_id), $1) FROM ecom.ingest_split WHERE split_id >= $1 AND split_id < $2",
                &[&first, &(first + SPLIT_IDS_PER_PIPELINE)],
            )
            .await
            .map_err(failed)?;
        Ok(Claim {
            epoch,
            last_split_id: row.get(0),
            leader: Arc::new(Self {
                connector,
                pipeline: pipeline.to_owned(),
                pipeline_id,
                fence,
                session: Mutex::new(Session {
                    last_backend_pid: Some(connection.backend_pid),
                    connection: Some(connection),
                    statements: HashMap::new(),
                }),
            }),
        })
    }

    pub(crate) fn pipeline(&self) -> &str {
        &self.pipeline
    }

    pub(crate) fn fence(&self) -> i64 {
        self.fence
    }

    /// Asks the ledger, again and again until it answers. Only for statements that may run twice.
    pub(crate) async fn query(&self, statement: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let mut session = self.session.lock().await;
        let mut delays = delays();
        loop {
            let failure = match self.try_query(&mut session, statement, params).await {
                Ok(rows) => return Ok(rows),
                Err(Failure::LedgerMoved) => return Err(self.fenced()),
                Err(failure) => failure,
            };
            session.connection = None;
            match failure.action() {
                Action::Pause => tracing::error!("paused: {}", failure.into_error("reading the ledger").report()),
                _ => tracing::warn!("trying again: {}", failure.into_error("reading the ledger").report()),
            }
            tokio::time::sleep(delays.next().unwrap_or_default()).await;
        }
    }

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
            session.connection = Some(self.lead_again(session.last_backend_pid).await?);
        }
        let Some(connection) = &session.connection else {
            return Err(Failure::LedgerMoved);
        };
        session.last_backend_pid = Some(connection.backend_pid);
        let prepared = match session.statements.get(statement) {
            Some(prepared) => prepared.clone(),
            None => {
                let prepared = deadline.of("preparing", connection.client.prepare(statement)).await?;
                session.statements.insert(statement, prepared.clone());
                prepared
            }
        };
        deadline
            .of("reading the ledger", connection.client.query(&prepared, params))
            .await
    }

    /// Gets the lock back on a new connection, unless another instance has led meanwhile.
    async fn lead_again(&self, last_backend_pid: Option<i32>) -> Result<Connection, Failure> {
        let connection = self.connector.connect().await?;
        if let Some(pid) = last_backend_pid {
            end_backend(&connection, pid).await?;
        }
        let still_ours = "SELECT fence FROM ecom.ingest_pipeline WHERE pipeline = $1";
        let deadline = self.connector.deadline;
        match deadline
            .of(
                "reading the fence",
                connection.client.query_opt(still_ours, &[&self.pipeline]),
            )
            .await?
        {
            Some(row) if row.get::<_, i64>(0) == self.fence => {}
            _ => return Err(Failure::LedgerMoved),
        }
        // Without the lock another instance may be about to take over: the fence will tell at the next commit.
        if !try_lock(&connection, self.pipeline_id).await? {
            tracing::warn!(
                "pipeline {:?}: the lock is held by another session for now",
                self.pipeline
            );
        }
        Ok(connection)
    }

    /// Finds out what became of an epoch whose transaction ended without an answer. `writer_pid` is the server process
    /// that had it.
    pub(crate) async fn settle(&self, epoch: i64, writer_pid: Option<i32>) -> Result<Outcome> {
        if let Some(pid) = writer_pid {
            // As long as that process lives it could still commit.
            self.query(END_BACKEND, &[&pid]).await?;
            self.wait_for_end_of(pid).await?;
        }
        let rows = self
            .query(
                "SELECT fence, epoch FROM ecom.ingest_pipeline WHERE pipeline = $1 FOR UPDATE",
                &[&self.pipeline],
            )
            .await?;
        match rows.first() {
            Some(row) if row.get::<_, i64>(0) == self.fence => match row.get::<_, i64>(1) {
                committed if committed >= epoch => Ok(Outcome::Committed),
                _ => Ok(Outcome::Aborted),
            },
            _ => Err(self.fenced()),
        }
    }

    async fn wait_for_end_of(&self, pid: i32) -> Result<()> {
        let mut delays = delays();
        while !self.query(BACKEND_OF, &[&pid]).await?.is_empty() {
            tokio::time::sleep(delays.next().unwrap_or_default()).await;
        }
        Ok(())
    }

    pub(crate) fn fenced(&self) -> Error {
        let message = format!("another instance has taken over pipeline {:?}", self.pipeline);
        Error::new(ErrorKind::Fenced, message).hint("this one has written nothing since and must not go on")
    }
}

/// The positions in the ledger mean nothing in another place.
fn check_location(pipeline: &str, topology: &Topology, name: &str, known: &str, moved: bool) -> Result<()> {
    let now = topology.sources().iter().find(|source| source.name == name);
    match now {
        Some(source) if source.location != known && !moved => {
            let message = format!(
                "pipeline {pipeline:?} reads {known} so far, but was started on {}",
                source.location
            );
            Err(Error::new(ErrorKind::Configuration, message).hint(
                "give a second pipeline a name of its own (--pipeline NAME); if the same files are in a new place now, \
                 say so once (--moved)",
            ))
        }
        _ => Ok(()),
    }
}

/// Only our own: a pid may have been given to another process meanwhile.
const BACKEND_OF: &str = "SELECT pid FROM pg_stat_activity WHERE pid = $1 AND usename = current_user \
                          AND application_name = current_setting('application_name')";
const END_BACKEND: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 \
                           AND usename = current_user AND application_name = current_setting('application_name')";

async fn end_backend(connection: &Connection, pid: i32) -> Result<(), Failure> {
    connection.client.query(END_BACKEND, &[&pid]).await?;
    Ok(())
}

async fn try_lock(connection: &Connection, pipeline_id: i64) -> Result<bool, Failure> {
    let row = connection
        .client
        .query_one(
            "SELECT pg_try_advisory_lock($1, $2)",
            &[&LOCK_CLASS, &(pipeline_id as i32)],
        )
        .await?;
    Ok(row.get(0))
}

/// Who holds the lock, for the log.
async fn holder(connection: &Connection, pipeline_id: i64) -> Option<String> {
    let row = connection
        .client
        .query_opt(
            "SELECT a.application_name || ', process ' || a.pid || coalesce(' from ' || host(a.client_addr), '') \
             || ', since ' || to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS') || ' UTC' \
             FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
             WHERE l.locktype = 'advisory' AND l.classid = $1::int8::oid AND l.objid = $2::int8::oid AND l.granted",
            &[&i64::from(LOCK_CLASS), &pipeline_id],
        )
        .await
        .ok()??;
    row.get(0)
}
