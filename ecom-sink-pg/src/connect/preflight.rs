//! Checks at the start: that sessions last, and that no setting of the server weakens the
//! guarantees.

use std::time::Duration;

use ecom_stream::{Error, ErrorKind, Result};
use tokio::time::timeout;
use tokio_postgres::Row;

use super::connection::{Connection, Connector};
use crate::failure::{Failure, MORE_CONNECTIONS, POOLER};

/// Checks that all statements of a connection are executed by one session. A pooler that works by
/// transaction does not guarantee that: locks would be lost, and settings would be those of other
/// sessions.
///
/// # Errors
///
/// `Configuration` when there is such a pooler.
pub(crate) async fn check_sessions(connection: &Connection, connector: &Connector) -> Result<()> {
    let doing = "checking that sessions last";
    let checked = timeout(SECOND_CONNECTION_WITHIN, keeps_one_session(connection, connector)).await;
    let Ok(checked) = checked else {
        let message = format!(
            "there is no second connection within {} seconds",
            SECOND_CONNECTION_WITHIN.as_secs()
        );
        return Err(Error::new(ErrorKind::Unavailable, message).hint(MORE_CONNECTIONS));
    };
    match checked {
        Ok(true) => Ok(()),
        Ok(false) => {
            let message = "a pooler in front of the server does not keep one session per connection";
            Err(Error::new(ErrorKind::Configuration, message).hint(POOLER))
        }
        Err(failure) => Err(failure.into_error(doing)),
    }
}

/// How long the second connection may take. A pooler whose sessions are all in use does not refuse
/// it, but keeps it waiting.
const SECOND_CONNECTION_WITHIN: Duration = Duration::from_secs(10);

/// Whether a connection keeps its session while another one is in a transaction.
async fn keeps_one_session(connection: &Connection, connector: &Connector) -> Result<bool, Failure> {
    let deadline = connector.deadline;
    // Such a pooler gives the second connection what the first one had last, and keeps it there for the transaction.
    let other = connector.connect().await?;
    let begin = other.client.batch_execute("BEGIN");
    deadline.of("starting a transaction", begin).await?;
    if other.ask_backend_pid(deadline).await? == connection.backend_pid {
        return Ok(false);
    }
    Ok(connection.ask_backend_pid(deadline).await? == connection.backend_pid)
}

/// Settings and role attributes that a warning may be about.
const FACTS: &str = "
    SELECT
        current_setting('fsync') = 'off' AS no_fsync,
        current_setting('full_page_writes') = 'off' AS no_full_page_writes,
        coalesce(current_setting('zero_damaged_pages', true), 'off') = 'on' AS zeroes_damaged_pages,
        coalesce(current_setting('ignore_checksum_failure', true), 'off') = 'on' AS ignores_checksums,
        current_setting('server_encoding') AS encoding,
        quote_ident(rolname) AS role,
        ARRAY(
            SELECT name
            FROM (VALUES ('SUPERUSER', rolsuper), ('CREATEDB', rolcreatedb), ('CREATEROLE', rolcreaterole),
                         ('REPLICATION', rolreplication), ('BYPASSRLS', rolbypassrls)) AS attribute (name, has_it)
            -- A private server for try-outs has this one role, and lets in nobody but its user.
            WHERE has_it AND NOT (r.oid = 10 AND current_setting('private_server.start', true) IS NOT NULL)
        ) AS attributes
    FROM pg_catalog.pg_roles r WHERE rolname = session_user";

/// Warns of server settings that weaken the guarantees, and of a role with more privileges than
/// it needs.
pub(crate) async fn warn(connection: &Connection, connector: &Connector) -> Result<()> {
    let facts = connection.client.query_typed_one(FACTS, &[]);
    let facts = connector.deadline.of("reading the server's settings", facts).await;
    let facts = facts.map_err(|failure| failure.into_error("reading the server's settings"))?;
    for warning in warnings(&facts) {
        tracing::warn!("{warning}");
    }
    Ok(())
}

/// The warnings that follow from these facts.
fn warnings(facts: &Row) -> Vec<String> {
    let weaknesses = [
        (
            "no_fsync",
            "fsync is off at the server: when its machine crashes, committed rows can be lost and tables damaged",
        ),
        (
            "no_full_page_writes",
            "full_page_writes is off at the server: when its machine crashes, tables can be damaged",
        ),
        (
            "zeroes_damaged_pages",
            "zero_damaged_pages is on at the server: rows in damaged pages are lost silently",
        ),
        (
            "ignores_checksums",
            "ignore_checksum_failure is on at the server: damaged pages are used as if they were intact",
        ),
    ];
    let mut warnings: Vec<String> = weaknesses
        .iter()
        .filter(|(fact, _)| facts.get(fact))
        .map(|(_, warning)| (*warning).to_owned())
        .collect();
    let encoding: String = facts.get("encoding");
    if !matches!(encoding.as_str(), "UTF8" | "SQL_ASCII") {
        warnings.push(format!(
            "the encoding of the database is {encoding}: rows with characters that it lacks become dead letters; a \
             database with ENCODING 'UTF8' stores all"
        ));
    }
    let (role, attributes): (String, Vec<String>) = (facts.get("role"), facts.get("attributes"));
    if !attributes.is_empty() {
        warnings.push(format!(
            "the role {role} has more privileges than the ingest needs ({}): sql/roles.sql creates a role with only \
             those it needs",
            attributes.join(", ")
        ));
    }
    warnings
}
