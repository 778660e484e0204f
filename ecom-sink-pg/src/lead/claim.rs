//! Claims a pipeline for an instance: stands by while another one leads, then raises the fence.
//!
//! The steps are: find the number of the pipeline, take the advisory lock, check the locations
//! and the ownership of sources, and write the fence, the holder and the new list of sources in
//! one transaction. An instance that has led before also looks for commits that the server has
//! lost since.

use std::sync::Arc;
use std::time::Duration;

use ecom_stream::{Error, ErrorKind, Result, Topology, crash_point};
use postgres_types::ToSql;
use tokio_postgres::error::SqlState;
use uuid::Builder;

use super::instance_state::{InstanceState, InstanceStateSender};
use super::leader::Leader;
use super::lock::{Holder, holder, try_lock};
use super::lost_commits::{self, SeenEpoch};
use super::ownership;
use super::step_down::Token;
use crate::connect::{Connection, Connector};
use crate::failure::{Action, Deadline, Failure, LEAVES_ROWS_OUT, delays};

/// How often an instance that stands by tries to take the lock.
const STAND_BY_POLL: Duration = Duration::from_millis(500);

/// How many instances that `--take-over` has ended are remembered in the ledger.
macro_rules! taken_over_and_holder {
    () => {
        "CASE WHEN holder_id IS NULL OR holder_id = ANY (taken_over) THEN taken_over \
         ELSE (taken_over || holder_id)[greatest(1, cardinality(taken_over) - 30):] END"
    };
}

/// Each pipeline has a range of this many split ids, so that pipelines need not coordinate to
/// assign them.
const SPLIT_IDS_PER_PIPELINE: i64 = 1_000_000_000_000;

/// What a new leader starts from.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) leader: Arc<Leader>,
    /// The last epoch that was committed; the next one has this number plus one.
    pub(crate) epoch: i64,
    /// The highest split id that was assigned so far.
    pub(crate) last_split_id: i64,
}

/// Which pipeline is claimed, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClaimOptions<'a> {
    pub(crate) pipeline: &'a str,
    pub(crate) topology: &'a Topology,
    /// Whether its sources may read from other locations than before.
    pub(crate) moved: bool,
    /// Whether a leading instance is terminated, instead of being waited for.
    pub(crate) take_over: bool,
    pub(crate) state_sender: &'a InstanceStateSender,
}

/// Makes this instance the leader of a pipeline, as soon as no other one is. A server that cannot
/// be reached is tried for `wait_for_server`; once it was reached, without limit.
///
/// # Errors
///
/// `Configuration` when the locations of sources differ from those in the ledger, when another
/// pipeline owns one of them, or when the role may not terminate the other instance;
/// `Unavailable` when the server cannot be reached for too long.
///
/// # Cancel safety
///
/// When the future is dropped, the connection is closed and the lock is free. The fence may have
/// been raised already, which harms nobody: the next claim raises it again.
pub(crate) async fn claim(
    connector: &Connector,
    options: ClaimOptions<'_>,
    wait_for_server: Duration,
) -> Result<Claim> {
    let mut delays = delays();
    let mut wait = wait_for_server;
    let mut seen = SeenEpoch::default();
    loop {
        let connection = connector.connect_within(wait).await?;
        wait = Duration::MAX;
        match stand_by(connection, connector, options, &mut seen).await {
            Ok(claim) => return claim,
            // Most often the connection broke while standing by, or an old transaction still holds the row.
            Err(failure) if failure.action() == Action::Retry => {
                tracing::warn!("trying again: {}", failure.into_error("claiming the pipeline").report());
                options.state_sender.set_phase(InstanceState::Connecting);
            }
            Err(failure) => return Err(failure.into_error("claiming the pipeline")),
        }
        tokio::time::sleep(delays.next().unwrap_or_default()).await;
    }
}

/// Takes the lock, waiting for it or terminating its holder, and then becomes the leader.
///
/// The outer result is about the connection, and may be tried again. The inner one is an error
/// for the user.
async fn stand_by(
    connection: Connection,
    connector: &Connector,
    options: ClaimOptions<'_>,
    seen: &mut SeenEpoch,
) -> Result<Result<Claim>, Failure> {
    const EPOCH: &str = "SELECT epoch FROM ecom.ingest_pipeline WHERE pipeline = $1";
    let (pipeline, deadline) = (options.pipeline, connector.deadline);
    catch_up_sequences(&connection, deadline).await?;
    let pipeline_id = match pipeline_id(&connection, deadline, pipeline).await? {
        Ok(pipeline_id) => pipeline_id,
        Err(err) => return Ok(Err(err)),
    };
    lost_commits::find(&connection.client, deadline, pipeline, options.state_sender).await?;
    let mut waiting = false;
    let mut delays = delays();
    while !try_lock(&connection, pipeline_id, deadline).await? {
        let holder = holder(&connection, pipeline_id, deadline).await?;
        if options.take_over {
            if let Some(holder) = holder
                && let Err(err) = terminate_leader(&connection, deadline, &holder, options).await?
            {
                return Ok(Err(err));
            }
            tokio::time::sleep(delays.next().unwrap_or_default()).await;
            continue;
        }
        if !waiting {
            waiting = true;
            let holder = holder.map_or_else(|| "another instance".into(), |holder| holder.described);
            tracing::info!(
                "standing by: pipeline {pipeline:?} is run by {holder}; this instance takes over when that one ends"
            );
            options.state_sender.set_phase(InstanceState::StandingBy { holder });
        }
        lost_commits::check_again(&connection.client, deadline, pipeline, options.state_sender).await?;
        let named: [&(dyn ToSql + Sync); 1] = [&pipeline];
        let epoch = connection.client.query_opt(EPOCH, &named);
        let epoch = deadline.of("reading the ledger", epoch).await?;
        seen.see(pipeline, epoch.map_or(0, |row| row.get(0)));
        tokio::time::sleep(STAND_BY_POLL).await;
    }
    crash_point!("claim.locked");
    if waiting {
        tracing::info!("taking over pipeline {pipeline:?}");
    }
    let claim = become_leader(connection, connector, pipeline_id, options).await?;
    if let Ok(claim) = &claim {
        seen.see(pipeline, claim.epoch);
    }
    Ok(claim)
}

/// Terminates the instance that holds the lock.
///
/// The fence is raised first, and the holder noted as taken over. From then on that instance cannot
/// commit, and finds out wherever it looks, so that it does not come back for the lock. Of two instances that take over at the same
/// time, the later one terminates the earlier one, which then ends as well.
async fn terminate_leader(
    connection: &Connection,
    deadline: Deadline,
    holder: &Holder,
    options: ClaimOptions<'_>,
) -> Result<Result<()>, Failure> {
    const RAISE_FENCE: &str = concat!(
        "UPDATE ecom.ingest_pipeline SET fence = fence + 1, taken_over = ",
        taken_over_and_holder!(),
        " WHERE pipeline = $1"
    );
    const END_SESSIONS: &str = "
        -- As the role that logged in, if that one may: SET ROLE gives other rights.
        SELECT set_config('role', CASE WHEN pg_has_role(session_user, usesysid, 'USAGE') THEN 'none'
                                  ELSE current_setting('role') END, true),
            pg_terminate_backend(pid)
        FROM pg_stat_activity
        WHERE pid = $1
            OR application_name = $2 AND application_name LIKE 'ecom %' AND usename = $3 AND datname = current_database()";
    let (pipeline, described) = (options.pipeline, &holder.described);
    if !holder.may_be_ended {
        let role = &holder.role;
        let message = format!(
            "cannot take over pipeline {pipeline:?}: it is run by {described} as the role {role:?}, and this role \
             may not terminate its sessions"
        );
        let hint = "connect as that role, as a member of it, or as a member of pg_signal_backend; or stop that instance on \
             its own machine";
        return Ok(Err(Error::new(ErrorKind::Configuration, message).hint(hint)));
    }
    // Before any harm is done.
    if let Err(err) = check_locations(connection, deadline, options).await? {
        return Ok(Err(err));
    }
    if let Err(err) = ownership::check_ownership(&connection.client, deadline, pipeline, options.topology).await? {
        return Ok(Err(err));
    }
    tracing::warn!("ending the instance that runs pipeline {pipeline:?}: {described}");
    let client = &connection.client;
    let raised = deadline
        .of("raising the fence", client.execute(RAISE_FENCE, &[&pipeline]))
        .await;
    match raised {
        // A transaction of the other has the row: it ends now, and the next time finds the row free.
        Err(failure) if failure.state() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {}
        raised => {
            if raised? == 0 {
                return Ok(Err(not_written(pipeline)));
            }
        }
    }
    crash_point!("take_over.fence_raised");
    let of_holder: [&(dyn ToSql + Sync); 3] = [&holder.pid, &holder.application_name, &holder.role];
    deadline
        .of("ending the other instance", client.execute(END_SESSIONS, &of_holder))
        .await?;
    Ok(Ok(()))
}

/// Moves sequences that are behind their rows, as after the promotion of a logical replica: the next
/// dead letter, or the next pipeline, would get a number that is taken.
async fn catch_up_sequences(connection: &Connection, deadline: Deadline) -> Result<(), Failure> {
    const MAY: &str =
        "SELECT coalesce(has_function_privilege(to_regprocedure('ecom.catch_up_sequences()'), 'EXECUTE'), false)";
    const CATCH_UP: &str = "SELECT ecom.catch_up_sequences()";
    const DOING: &str = "claiming the pipeline";
    let client = &connection.client;
    let may = deadline.of(DOING, client.query_one(MAY, &[])).await?;
    // Without the privilege, an error tells what to do once a number is taken.
    if may.get(0) {
        let moved = deadline.of(DOING, client.query_one(CATCH_UP, &[])).await?;
        if moved.get::<_, i32>(0) > 0 {
            tracing::warn!("sequences of the ledger were behind their rows, as after a promotion: they have caught up");
        }
    }
    Ok(())
}

/// The error for a row of the pipeline that the server has not written, although it has reported no
/// error.
fn not_written(pipeline: &str) -> Error {
    let message = format!("the server did not store the row of pipeline {pipeline:?} in ecom.ingest_pipeline");
    Error::new(ErrorKind::Schema, message).hint(LEAVES_ROWS_OUT)
}

/// The number of the pipeline. A new pipeline is added to the ledger.
async fn pipeline_id(connection: &Connection, deadline: Deadline, pipeline: &str) -> Result<Result<i64>, Failure> {
    const KNOWN: &str = "SELECT pipeline_id FROM ecom.ingest_pipeline WHERE pipeline = $1";
    const ADD: &str = "INSERT INTO ecom.ingest_pipeline (pipeline) VALUES ($1) ON CONFLICT (pipeline) DO NOTHING";
    let client = &connection.client;
    // Looking first: an insert uses up a number even where the pipeline is known.
    if let Some(row) = deadline
        .of("claiming the pipeline", client.query_opt(KNOWN, &[&pipeline]))
        .await?
    {
        return Ok(Ok(row.get(0)));
    }
    deadline
        .of("claiming the pipeline", client.execute(ADD, &[&pipeline]))
        .await?;
    let added = deadline
        .of("claiming the pipeline", client.query_opt(KNOWN, &[&pipeline]))
        .await?;
    Ok(added.map(|row| row.get(0)).ok_or_else(|| not_written(pipeline)))
}

/// Raises the fence and writes a random holder, which makes this instance the leader: an instance
/// that led before cannot commit any more. Runs at every start, with the lock held.
async fn become_leader(
    connection: Connection,
    connector: &Connector,
    pipeline_id: i64,
    options: ClaimOptions<'_>,
) -> Result<Result<Claim>, Failure> {
    const RAISE_FENCE: &str = concat!(
        "UPDATE ecom.ingest_pipeline
         SET fence = fence + 1, started_at = now(), holder = current_setting('application_name'), holder_id = $5,
             sources = sources || jsonb_object($2::text[], $3::text[]), owns = $4,
             directories = directories || (
                 SELECT coalesce(jsonb_object_agg(d.name, d.directory::jsonb), '{}')
                 FROM unnest($7::text[], $8::text[]) AS d (name, directory)),
             taken_over = CASE WHEN $6 THEN ",
        taken_over_and_holder!(),
        " ELSE taken_over END
         WHERE pipeline = $1 RETURNING fence, epoch"
    );
    const LAST_SPLIT_ID: &str = "
        SELECT coalesce(max(split_id), $1) FROM ecom.ingest_split WHERE split_id >= $1 AND split_id < $2";

    let (client, deadline) = (&connection.client, connector.deadline);
    if let Err(err) = check_locations(&connection, deadline, options).await? {
        return Ok(Err(err));
    }
    let ClaimOptions { pipeline, topology, .. } = options;
    deadline
        .of("claiming the pipeline", client.batch_execute("BEGIN"))
        .await?;
    if let Err(err) = ownership::check_ownership(client, deadline, pipeline, topology).await? {
        // The connection is dropped, and with it the transaction.
        return Ok(Err(err));
    }
    let sources = topology.sources().iter();
    let (names, locations): (Vec<&str>, Vec<&str>) = sources
        .map(|source| (source.name.as_str(), source.location.as_str()))
        .unzip();
    let holder = Builder::from_random_bytes(rand::random()).into_uuid();
    let owned = ownership::owned_locations(topology);
    let (with_directory, directories) = match ownership::directories(topology) {
        Ok(directories) => directories,
        Err(err) => return Ok(Err(err)),
    };
    let claimed: [&(dyn ToSql + Sync); 8] = [
        &pipeline,
        &names,
        &locations,
        &owned,
        &holder,
        &options.take_over,
        &with_directory,
        &directories,
    ];
    let raised = deadline
        .of("claiming the pipeline", client.query_opt(RAISE_FENCE, &claimed))
        .await?;
    let Some(raised) = raised else {
        return Ok(Err(not_written(pipeline)));
    };
    deadline
        .of("claiming the pipeline", client.batch_execute("COMMIT"))
        .await?;
    crash_point!("claim.fence_raised");
    let first = pipeline_id * SPLIT_IDS_PER_PIPELINE;
    let bounds: [&(dyn ToSql + Sync); 2] = [&first, &(first + SPLIT_IDS_PER_PIPELINE)];
    let last_split_id = deadline
        .of("claiming the pipeline", client.query_one(LAST_SPLIT_ID, &bounds))
        .await?
        .get(0);
    let state_sender = options.state_sender.clone();
    let (fence, epoch) = (raised.get(0), raised.get(1));
    let leader = Leader::new(
        connector.clone(),
        connection,
        pipeline,
        pipeline_id,
        Token { fence, holder },
        epoch,
        state_sender,
    );
    Ok(Ok(Claim {
        leader: Arc::new(leader),
        epoch,
        last_split_id,
    }))
}

/// Checks every source of this run against the location that the ledger has for it.
async fn check_locations(
    connection: &Connection,
    deadline: Deadline,
    options: ClaimOptions<'_>,
) -> Result<Result<()>, Failure> {
    const SOURCES: &str = "
        SELECT key, value FROM ecom.ingest_pipeline, jsonb_each_text(sources) WHERE pipeline = $1";
    let client = &connection.client;
    for row in deadline
        .of("claiming the pipeline", client.query(SOURCES, &[&options.pipeline]))
        .await?
    {
        if let Err(err) = check_location(
            options.pipeline,
            options.topology,
            row.get(0),
            row.get(1),
            options.moved,
        ) {
            return Ok(Err(err));
        }
    }
    Ok(Ok(()))
}

/// Checks the location of one source: positions in the ledger mean nothing in another place,
/// unless its files have moved there.
fn check_location(pipeline: &str, topology: &Topology, name: &str, known: &str, moved: bool) -> Result<()> {
    let now = topology.sources().iter().find(|source| source.name == name);
    match now {
        Some(source) if source.location != known && !moved => {
            let message = format!(
                "pipeline {pipeline:?} has read {known} so far, but this run reads {}",
                source.location
            );
            Err(Error::new(ErrorKind::Configuration, message).hint(
                "if this is another input, give it a pipeline of its own (--pipeline NAME); if the same files are \
                 in a new place, start once with --moved",
            ))
        }
        _ => Ok(()),
    }
}
