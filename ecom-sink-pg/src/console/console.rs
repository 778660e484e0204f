//! The entry point of the console, and how its sessions are opened.

use std::time::Duration;

use ecom_stream::Result;

use crate::connect::{Connection, Connector, Database, made_of_database};
use crate::failure::Deadline;
use crate::schema;

pub(super) const DEADLINE: Deadline = Deadline(Duration::from_secs(60));

/// Looks at what the ingest did, and puts in again what was mended. Each method opens a session of its own.
///
/// Looking needs no more rights than those of `ecom_reader` in `sql/roles.sql`; [`retry`](Self::retry) writes to the events,
/// the ledger and the dead letters, and is for their owner.
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

    pub(super) fn connector(&self) -> Connector {
        self.database.connector("console", DEADLINE)
    }

    async fn reading(&self) -> Result<Connection> {
        self.connector()
            .for_reading()
            .connect_within(self.database.wait_for_server)
            .await
    }

    /// A session to look from, once all migrations are there.
    pub(super) async fn session(&self) -> Result<Connection> {
        let connection = self.reading().await?;
        schema::check_migrations(&connection.client).await?;
        Ok(connection)
    }
}
