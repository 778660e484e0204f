//! The entry point of maintenance, and how its sessions are opened.

use std::time::Duration;

use ecom_stream::{Error, ErrorKind, Result};

use crate::connect::{Connection, Database, made_of_database, preflight};
use crate::failure::{Deadline, Failure};
use crate::schema;

/// For statements that answer at once.
pub(super) const DEADLINE: Deadline = Deadline(Duration::from_secs(60));
/// For statements that work through a whole partition.
pub(super) const LONG_DEADLINE: Deadline = Deadline(Duration::from_secs(6 * 3_600));

/// How long a session waits for a lock. A long wait blocks nobody else here; an epoch is over in
/// a moment, but a dump is not.
pub(super) const PATIENCE: &str = "SET lock_timeout = '5min'";

/// Maintains the table `ecom.events`: builds indexes, drops old partitions, and changes the
/// layout of new ones.
///
/// Each method opens a session of its own, does its work and ends. The schema must be up to date,
/// and the role must own the table.
///
/// # Examples
///
/// ```no_run
/// # use std::time::Duration;
/// # use ecom_sink_pg::{Maintenance, Retention};
/// # async fn upkeep() -> ecom_stream::Result<()> {
/// let maintenance = Maintenance::from_url("postgresql://owner@localhost/shop")?;
/// maintenance.settle(Duration::from_secs(3_600)).await?;
/// let expired = maintenance.retain(Retention::days(90)).await?;
/// println!("dropped {:?}", expired.partitions);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Maintenance {
    pub(super) database: Database,
}

made_of_database!(Maintenance);

impl Maintenance {
    /// A session as the owner of the table. The schema is checked, and left as it is.
    pub(super) async fn session(&self) -> Result<Connection> {
        let connection = self.connect().await?;
        schema::check(&connection.client).await?;
        of_owner(connection).await
    }

    /// A session during a run, which may be about to bring the schema up to date; so this one
    /// does it too.
    pub(super) async fn session_beside_run(&self) -> Result<Connection> {
        let mut connection = self.connect().await?;
        schema::apply(&mut connection.client).await?;
        of_owner(connection).await
    }

    /// Connects, and refuses poolers that do not keep sessions.
    async fn connect(&self) -> Result<Connection> {
        let connector = self.database.connector("maintenance", DEADLINE);
        let connection = connector.connect_within(self.database.wait_for_server).await?;
        preflight::check_sessions(&connection, &connector).await?;
        let patient = DEADLINE
            .of("connecting", connection.client.batch_execute(PATIENCE))
            .await;
        patient.map_err(|failure| failure.into_error("connecting to the server"))?;
        Ok(connection)
    }
}

/// The connection, if its role owns the table.
async fn of_owner(connection: Connection) -> Result<Connection> {
    match owns_the_table(&connection).await {
        Ok(Ok(())) => Ok(connection),
        Ok(Err(err)) => Err(err),
        Err(failure) => Err(failure.into_error("checking the owner of ecom.events")),
    }
}

/// Checks that the role owns the table.
async fn owns_the_table(connection: &Connection) -> Result<Result<()>, Failure> {
    const OWNER: &str = "
        SELECT current_user::text, pg_get_userbyid(relowner)::text, pg_has_role(relowner, 'USAGE')
        FROM pg_class WHERE oid = 'ecom.events'::regclass";
    let row = DEADLINE
        .of(
            "checking the owner of ecom.events",
            connection.client.query_one(OWNER, &[]),
        )
        .await?;
    let (role, owner, is_owner): (String, String, bool) = (row.get(0), row.get(1), row.get(2));
    if is_owner {
        return Ok(Ok(()));
    }
    let message = format!(
        "the role {role:?} does not own the table ecom.events, so it may not change its partitions and indexes"
    );
    let hint = format!("connect as the role {owner:?}, or as a member of that role");
    Ok(Err(Error::new(ErrorKind::Configuration, message).hint(hint)))
}
