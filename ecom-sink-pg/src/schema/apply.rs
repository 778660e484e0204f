//! Applies missing migrations, and checks that all are applied.

use ecom_stream::{Result, crash_point};
use refinery::{Migration, Runner};
use tokio_postgres::Client;

use super::catalog::DatabaseSchema;
use super::error::failed;
use super::migrations::migrations;

/// The table that records which migrations were applied.
const HISTORY: &str = "ecom.schema_history";

/// Held while migrations run, so that instances that start together do not collide;
/// `sql/setup.sql` takes the same lock. It belongs to the session, since refinery opens and
/// closes transactions of its own. The session's lock timeout may be meant for row locks and is
/// replaced.
const LOCK: &str =
    "SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_lock(hashtextextended('ecom.schema_history', 0))";
const UNLOCK: &str = "SELECT pg_advisory_unlock(hashtextextended('ecom.schema_history', 0))";

/// Brings the schema `ecom` up to date, and then checks it as [`check`] does.
///
/// If it is up to date, nothing is written, and no privilege to change it is needed. Instances
/// that start together wait for each other.
///
/// # Errors
///
/// [`ErrorKind::Schema`] when migrations are missing that the role may not apply, when the
/// database has migrations that this program does not know, and for whatever [`check`] finds;
/// [`ErrorKind::Unavailable`] when the server cannot be reached, or another session holds the
/// lock for a minute.
///
/// # Cancel safety
///
/// When the future is dropped, drop the client too: its session may hold the lock.
///
/// [`ErrorKind::Schema`]: ecom_stream::ErrorKind::Schema
/// [`ErrorKind::Unavailable`]: ecom_stream::ErrorKind::Unavailable
pub async fn apply(client: &mut Client) -> Result<()> {
    let found = DatabaseSchema::read(client).await?;
    if found.pending()?.is_empty() {
        return found.check_tables();
    }
    client
        .batch_execute(LOCK)
        .await
        .map_err(|err| failed("waiting for another instance that applies the migrations", err))?;
    crash_point!("migration.locked");
    let migrated = migrate(client).await;
    let unlocked = client.batch_execute(UNLOCK).await;
    migrated?;
    unlocked.map_err(|err| failed("migrating the schema", err))?;
    check(client).await
}

/// Checks that the schema `ecom` fits this program, without changing anything.
///
/// # Errors
///
/// [`ErrorKind::Schema`] with everything that is missing, newer or different, and how to fix it;
/// [`ErrorKind::Unavailable`] when the server cannot be reached.
///
/// [`ErrorKind::Schema`]: ecom_stream::ErrorKind::Schema
/// [`ErrorKind::Unavailable`]: ecom_stream::ErrorKind::Unavailable
pub async fn check(client: &Client) -> Result<()> {
    let found = DatabaseSchema::read(client).await?;
    let pending = found.pending()?;
    if !pending.is_empty() {
        return Err(found.not_current(&pending));
    }
    found.check_tables()
}

/// Checks that all migrations were applied, for a role that only reads.
pub(crate) async fn check_migrations(client: &Client) -> Result<()> {
    let found = DatabaseSchema::read(client).await?;
    let pending = found.pending()?;
    match pending.is_empty() {
        true => Ok(()),
        false => Err(found.not_current(&pending)),
    }
}

/// Applies the missing migrations. The lock must be held.
async fn migrate(client: &mut Client) -> Result<()> {
    // The instance that held the lock before may have done it all.
    let found = DatabaseSchema::read(client).await?;
    let pending = found.pending()?;
    if pending.is_empty() {
        return Ok(());
    }
    if !found.schema_exists {
        let made = client.batch_execute("CREATE SCHEMA ecom").await;
        made.map_err(|err| found.not_migrated(&pending, err))?;
        crash_point!("migration.schema_made");
    }
    let mut runner = Runner::new(&migrations()?).set_grouped(true);
    runner.set_migration_table_name(HISTORY);
    match runner.run_async(client).await {
        Ok(report) => {
            crash_point!("migration.applied");
            let applied: Vec<String> = report.applied_migrations().iter().map(Migration::to_string).collect();
            tracing::info!("brought the schema ecom up to date: {}", applied.join(", "));
            Ok(())
        }
        Err(err) => Err(found.not_migrated(&pending, err)),
    }
}
