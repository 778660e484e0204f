//! Checks that a directory from which one pipeline removes files is not read by another pipeline.
//!
//! A pipeline *owns* a location when it archives or deletes the files there. If another pipeline
//! read the same files, it would miss those that are removed before it has read them.

use ecom_stream::{Error, ErrorKind, Result, Topology};
use postgres_types::ToSql;
use tokio_postgres::Client;

use crate::failure::{Deadline, Failure};

/// Serializes pipelines that start at the same time, for the rest of the transaction.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(hashtextextended('ecom.ownership', 0))";

/// Another pipeline that owns one of our locations, or reads one that we own.
const CONFLICT: &str = "
    SELECT p.pipeline, s.value, s.value = ANY (p.owns)
    FROM ecom.ingest_pipeline p, jsonb_each_text(p.sources) s
    WHERE p.pipeline <> $1 AND s.value = ANY ($2) AND (s.value = ANY (p.owns) OR s.value = ANY ($3))
    ORDER BY 1, 2 LIMIT 1";

/// The locations from which a pipeline removes files.
pub(crate) fn owned_locations(topology: &Topology) -> Vec<&str> {
    let owned = topology.sources().iter().filter(|source| source.is_owned);
    owned.map(|source| source.location.as_str()).collect()
}

/// Refuses to read a location that another pipeline owns, and to own one that another pipeline
/// reads. Call it in the transaction that records what this pipeline owns.
///
/// # Errors
///
/// The inner error is `Configuration`, for the user. The outer one is a failure of the query.
pub(crate) async fn check_ownership(
    client: &Client,
    deadline: Deadline,
    pipeline: &str,
    topology: &Topology,
) -> Result<Result<()>, Failure> {
    deadline
        .of("claiming the pipeline", client.batch_execute(ONE_AT_A_TIME))
        .await?;
    let sources = topology.sources().iter();
    let locations: Vec<&str> = sources.map(|source| source.location.as_str()).collect();
    let owned = owned_locations(topology);
    let params: [&(dyn ToSql + Sync); 3] = [&pipeline, &locations, &owned];
    let conflict = deadline
        .of("claiming the pipeline", client.query_opt(CONFLICT, &params))
        .await?;
    let Some(row) = conflict else {
        return Ok(Ok(()));
    };
    let (other, location, is_theirs): (&str, &str, bool) = (row.get(0), row.get(1), row.get(2));
    let message = match is_theirs {
        true => format!(
            "pipeline {other:?} archives or deletes the files in {location}, so no other pipeline may read them"
        ),
        false => format!(
            "pipeline {other:?} also reads {location}, so this pipeline may not archive or delete the files there"
        ),
    };
    Ok(Err(Error::new(ErrorKind::Configuration, message).hint(
        "give each pipeline an input directory of its own, or run without --archive and --delete; if the other \
         pipeline no longer exists: UPDATE ecom.ingest_pipeline SET sources = '{}', owns = '{}' WHERE pipeline = \
         its name",
    )))
}
