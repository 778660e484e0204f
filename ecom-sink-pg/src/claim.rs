//! Claiming a pipeline: one instance leads it, others stand by.

use std::sync::Arc;
use std::time::Duration;

use ecom_stream::{Error, ErrorKind, Result, Topology, crash_point};
use postgres_types::ToSql;

use crate::action::Action;
use crate::backoff::delays;
use crate::connect::{Connection, Connector};
use crate::failure::{Deadline, Failure};
use crate::leader::Leader;
use crate::lock::{holder, try_lock};

/// How often a pipeline that stands by looks whether it is its turn.
const STAND_BY_POLL: Duration = Duration::from_millis(500);

/// Split ids are numbered by pipeline, so that pipelines need not ask each other.
const SPLIT_IDS_PER_PIPELINE: i64 = 1_000_000_000_000;

/// What a leader takes over.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) leader: Arc<Leader>,
    /// The last epoch that was committed.
    pub(crate) epoch: i64,
    /// The highest split id that was given out.
    pub(crate) last_split_id: i64,
}

/// Becomes the leader of a pipeline, waiting until no other instance is. `moved` lets its sources be elsewhere than
/// before. A server that can't be reached is tried for as long as `wait_for_server`.
pub(crate) async fn claim(
    connector: &Connector,
    pipeline: &str,
    topology: &Topology,
    moved: bool,
    wait_for_server: Duration,
) -> Result<Claim> {
    let mut delays = delays();
    loop {
        let connection = connector.connect_within(wait_for_server).await?;
        match stand_by(connection, connector, pipeline, topology, moved).await {
            Ok(claim) => return claim,
            // Most often the connection broke while standing by, or an old transaction still holds the row.
            Err(failure) if failure.action() == Action::Retry => {
                tracing::warn!("trying again: {}", failure.into_error("claiming the pipeline").report());
            }
            Err(failure) => return Err(failure.into_error("claiming the pipeline")),
        }
        tokio::time::sleep(delays.next().unwrap_or_default()).await;
    }
}

async fn stand_by(
    connection: Connection,
    connector: &Connector,
    pipeline: &str,
    topology: &Topology,
    moved: bool,
) -> Result<Result<Claim>, Failure> {
    let pipeline_id = pipeline_id(&connection, connector.deadline, pipeline).await?;
    let mut waiting = false;
    while !try_lock(&connection, pipeline_id, connector.deadline).await? {
        if !waiting {
            waiting = true;
            let holder = holder(&connection, pipeline_id)
                .await
                .unwrap_or_else(|| "another instance".into());
            tracing::info!("standing by: pipeline {pipeline:?} is run by {holder}; taking over when that ends");
        }
        tokio::time::sleep(STAND_BY_POLL).await;
    }
    crash_point!("claim.locked");
    if waiting {
        tracing::info!("taking over pipeline {pipeline:?}");
    }
    take_over(connection, connector, pipeline, pipeline_id, topology, moved).await
}

/// The number of the pipeline, which is made where it is new.
async fn pipeline_id(connection: &Connection, deadline: Deadline, pipeline: &str) -> Result<i64, Failure> {
    const KNOWN: &str = "SELECT pipeline_id FROM ecom.ingest_pipeline WHERE pipeline = $1";
    const ADD: &str = "INSERT INTO ecom.ingest_pipeline (pipeline) VALUES ($1) ON CONFLICT (pipeline) DO NOTHING";
    let client = &connection.client;
    // Looking first: an insert uses up a number even where the pipeline is known.
    if let Some(row) = deadline.of("claiming", client.query_opt(KNOWN, &[&pipeline])).await? {
        return Ok(row.get(0));
    }
    deadline.of("claiming", client.execute(ADD, &[&pipeline])).await?;
    Ok(deadline
        .of("claiming", client.query_one(KNOWN, &[&pipeline]))
        .await?
        .get(0))
}

/// Raises the fence: from here on an instance that led before can't commit any more.
async fn take_over(
    connection: Connection,
    connector: &Connector,
    pipeline: &str,
    pipeline_id: i64,
    topology: &Topology,
    moved: bool,
) -> Result<Result<Claim>, Failure> {
    const SOURCES: &str = "
        SELECT key, value FROM ecom.ingest_pipeline, jsonb_each_text(sources) WHERE pipeline = $1";
    const RAISE_FENCE: &str = "
        UPDATE ecom.ingest_pipeline
        SET fence = fence + 1, started_at = now(), holder = current_setting('application_name'),
            sources = sources || jsonb_object($2::text[], $3::text[])
        WHERE pipeline = $1 RETURNING fence, epoch";
    const LAST_SPLIT_ID: &str = "
        SELECT coalesce(max(split_id), $1) FROM ecom.ingest_split WHERE split_id >= $1 AND split_id < $2";

    let (client, deadline) = (&connection.client, connector.deadline);
    for row in deadline.of("claiming", client.query(SOURCES, &[&pipeline])).await? {
        if let Err(err) = check_location(pipeline, topology, row.get(0), row.get(1), moved) {
            return Ok(Err(err));
        }
    }
    let sources = topology.sources().iter();
    let (names, locations): (Vec<&str>, Vec<&str>) = sources
        .map(|source| (source.name.as_str(), source.location.as_str()))
        .unzip();
    let raised = deadline
        .of(
            "claiming",
            client.query_one(RAISE_FENCE, &[&pipeline, &names, &locations]),
        )
        .await?;
    crash_point!("claim.fence_raised");
    let first = pipeline_id * SPLIT_IDS_PER_PIPELINE;
    let bounds: [&(dyn ToSql + Sync); 2] = [&first, &(first + SPLIT_IDS_PER_PIPELINE)];
    let last_split_id = deadline
        .of("claiming", client.query_one(LAST_SPLIT_ID, &bounds))
        .await?
        .get(0);
    let leader = Leader::new(connector.clone(), connection, pipeline, pipeline_id, raised.get(0));
    Ok(Ok(Claim {
        leader: Arc::new(leader),
        epoch: raised.get(1),
        last_split_id,
    }))
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
