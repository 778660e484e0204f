//! The entry point of the console, and how its sessions are opened.

use std::time::Duration;

use ecom_stream::{Error, Result};
use tokio_postgres::error::SqlState;

use crate::connect::{Connection, Connector, Database, made_of_database};
use crate::failure::{Deadline, Failure};
use crate::schema;

/// How long the server may take to answer.
pub(super) const DEADLINE: Deadline = Deadline(Duration::from_secs(60));

/// The error for the user when reading failed. The roles that load are not those that read.
pub(super) fn read_error(failure: Failure, doing: &'static str) -> Error {
    let is_denied = failure.state() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
    let err = failure.into_error(doing);
    match is_denied {
        true => err.hint(
            "connect as a role that may read, such as ecom_reader, or as the owner of the schema; sql/roles.sql creates \
             ecom_reader",
        ),
        false => err,
    }
}

/// Reads the status of pipelines and their dead letters, and retries records that were corrected.
/// Each method opens a session of its own.
///
/// Reading needs only the privileges of `ecom_reader` in `sql/roles.sql`. [`retry`](Self::retry)
/// writes to the events, the ledger and the dead letters, and needs the owner of the schema.
///
/// # Examples
///
/// ```no_run
/// # async fn look() -> ecom_stream::Result<()> {
/// let status = ecom_sink_pg::Console::from_url("postgresql://localhost/shop")?.status(None).await?;
/// for pipeline in &status.pipelines {
///     println!("{}: {} stored", pipeline.name, pipeline.counts.stored);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Console {
    pub(super) database: Database,
}

made_of_database!(Console);

impl Console {
    /// Brings the schema up to date; see [`schema::apply`].
    ///
    /// # Errors
    ///
    /// Those of [`schema::apply`].
    pub async fn apply_schema(&self) -> Result<()> {
        let mut connection = self.connector().connect_within(self.database.wait_for_server).await?;
        schema::apply(&mut connection.client).await
    }

    /// Checks the schema without changing anything; see [`schema::check`].
    ///
    /// # Errors
    ///
    /// Those of [`schema::check`].
    pub async fn check_schema(&self) -> Result<()> {
        schema::check(&self.reading().await?.client).await
    }

    /// A connector for sessions of the console.
    pub(super) fn connector(&self) -> Connector {
        self.database.connector("console", DEADLINE)
    }

    /// A session that only reads, also on a standby server.
    async fn reading(&self) -> Result<Connection> {
        self.connector()
            .for_reading()
            .connect_within(self.database.wait_for_server)
            .await
    }

    /// A session that only reads, after a check that all migrations are applied.
    pub(super) async fn session(&self) -> Result<Connection> {
        let connection = self.reading().await?;
        schema::check_migrations(&connection.client).await?;
        Ok(connection)
    }
}
