//! The schema of the database: brings it up to date, or says what is wrong with it.

mod compare;
mod found;
mod tables;

use std::error::Error as StdError;
use std::iter;

use refinery::{Migration, Runner};
use tokio_postgres::Client;
use tokio_postgres::error::DbError;

use crate::action::verdict;
use found::Found;

use ecom_stream::{Error, ErrorKind, Result, crash_point};

/// Every migration, in order: the name of its file and its text.
const MIGRATIONS: &[(&str, &str)] = &[
    ("V1__tables", include_str!("../../sql/migrations/V1__tables.sql")),
    ("V2__ledger", include_str!("../../sql/migrations/V2__ledger.sql")),
    (
        "V3__partitions",
        include_str!("../../sql/migrations/V3__partitions.sql"),
    ),
    (
        "V4__views_sales",
        include_str!("../../sql/migrations/V4__views_sales.sql"),
    ),
    (
        "V5__views_products",
        include_str!("../../sql/migrations/V5__views_products.sql"),
    ),
    (
        "V6__views_shoppers",
        include_str!("../../sql/migrations/V6__views_shoppers.sql"),
    ),
    (
        "V7__views_ingest",
        include_str!("../../sql/migrations/V7__views_ingest.sql"),
    ),
    (
        "V8__views_quality",
        include_str!("../../sql/migrations/V8__views_quality.sql"),
    ),
];

/// Where it is written down which of them were applied.
const HISTORY: &str = "ecom.schema_history";

/// Held while migrations run, so that instances that start together don't collide; `sql/setup.sql` takes the same one.
/// For the session, since refinery opens and closes transactions of its own. The limit of the wait replaces that of the
/// session, which may be meant for the lock of a row.
const LOCK: &str =
    "SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_lock(hashtextextended('ecom.schema_history', 0))";
const UNLOCK: &str = "SELECT pg_advisory_unlock(hashtextextended('ecom.schema_history', 0))";

/// Brings the schema `ecom` up to date and checks it, as [`check`] does.
///
/// When it is current nothing is written and no right to change it is needed. Instances that start together wait for
/// each other. If the future is dropped before it ends, drop the connection too: it may hold the lock.
///
/// # Errors
///
/// [`ErrorKind::Schema`] when migrations are missing that the role may not apply, when others were applied than this
/// program knows, and whatever [`check`] finds; [`ErrorKind::Unavailable`] when the server can't be reached or another
/// session holds the lock for a minute.
pub async fn apply(client: &mut Client) -> Result<()> {
    let found = Found::look(client).await?;
    if found.pending()?.is_empty() {
        return found.judge();
    }
    client
        .batch_execute(LOCK)
        .await
        .map_err(|err| failed("waiting for another instance to migrate", err))?;
    crash_point!("migration.locked");
    let migrated = migrate(client).await;
    let unlocked = client.batch_execute(UNLOCK).await;
    migrated?;
    unlocked.map_err(|err| failed("migrating the schema", err))?;
    check(client).await
}

/// Checks that the schema `ecom` is what this program writes to, without changing anything.
///
/// # Errors
///
/// [`ErrorKind::Schema`] that says all that is missing, newer or different, and how to mend it;
/// [`ErrorKind::Unavailable`] when the server can't be reached.
pub async fn check(client: &Client) -> Result<()> {
    let found = Found::look(client).await?;
    let pending = found.pending()?;
    if !pending.is_empty() {
        return Err(found.not_current(&pending));
    }
    found.judge()
}

/// Checks that all migrations were applied, for one who only reads.
pub(crate) async fn check_migrations(client: &Client) -> Result<()> {
    let found = Found::look(client).await?;
    let pending = found.pending()?;
    match pending.is_empty() {
        true => Ok(()),
        false => Err(found.not_current(&pending)),
    }
}

/// Every migration, in order: its name and its text, which psql can run too.
pub fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
    MIGRATIONS.iter().copied()
}

/// Applies what is missing, with the lock held.
async fn migrate(client: &mut Client) -> Result<()> {
    // The instance that held the lock before may have done it all.
    let found = Found::look(client).await?;
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

fn migrations() -> Result<Vec<Migration>> {
    let migrations = MIGRATIONS.iter().map(|(name, sql)| Migration::unapplied(name, sql));
    migrations.collect::<Result<_, _>>().map_err(|err| {
        // Names are constants, and a test reads them all.
        Error::new(
            ErrorKind::Schema,
            "a migration of this program has a name that refinery can't read",
        )
        .caused_by(err)
    })
}

/// The answer of the server behind an error of the driver or of refinery, which wraps that more than once.
fn server_error<'a>(err: &'a (dyn StdError + 'static)) -> Option<&'a DbError> {
    iter::successors(Some(err), |&err| err.source()).find_map(|err| err.downcast_ref())
}

fn failed(doing: &str, err: impl StdError + Send + Sync + 'static) -> Error {
    let Some(db) = server_error(&err) else {
        return Error::new(ErrorKind::Unavailable, format!("{doing} failed")).caused_by(err);
    };
    let code = db.code().code();
    let kind = match verdict(Some(db.code())).0 {
        ErrorKind::Unavailable => ErrorKind::Unavailable,
        _ => ErrorKind::Schema,
    };
    Error::new(kind, format!("{doing} failed: {} (SQLSTATE {code})", db.message()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn sql(path: &str) -> String {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("sql").join(path)).unwrap()
    }

    #[test]
    fn every_migration_file_is_embedded() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/migrations");
        let mut files: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort_by_key(|file| Migration::unapplied(file, "").unwrap().version());
        let embedded: Vec<String> = MIGRATIONS.iter().map(|(name, _)| format!("{name}.sql")).collect();
        assert_eq!(files, embedded);
        let migrations = migrations().unwrap();
        for two in migrations.windows(2) {
            assert!(two[0].version() < two[1].version(), "{} and {}", two[0], two[1]);
        }
    }

    /// What `setup.sql` must have for a migration.
    fn step(migration: &Migration) -> String {
        let (version, name, checksum) = (migration.version(), migration.name(), migration.checksum());
        format!(
            "\\set checksum {checksum}
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = {version} \\gset
\\if :differs
    DO $$ BEGIN RAISE 'migration {migration} was applied here in another form than this file has'; END $$;
\\elif :pending
    \\ir migrations/{migration}.sql
    INSERT INTO ecom.schema_history VALUES ({version}, '{name}', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\\endif
"
        )
    }

    #[test]
    fn setup_runs_and_records_every_migration() {
        let setup = sql("setup.sql");
        let mut behind = 0;
        for migration in migrations().unwrap() {
            let step = step(&migration);
            let at = setup
                .find(&step)
                .unwrap_or_else(|| panic!("sql/setup.sql must have this step:\n\n{step}"));
            assert!(at >= behind, "sql/setup.sql runs {migration} before an older one");
            behind = at;
        }
        assert_eq!(setup.matches("\\ir ").count(), MIGRATIONS.len());
    }

    #[test]
    fn the_migration_of_a_table_creates_it() {
        for table in tables::TABLES {
            let (_, text) = MIGRATIONS.iter().find(|(name, _)| *name == table.migration).unwrap();
            let create = format!("\nCREATE TABLE IF NOT EXISTS ecom.{} (\n", table.name);
            assert!(text.contains(&create), "{} in {}", table.name, table.migration);
        }
    }

    #[test]
    fn sql_is_ascii_and_migrations_have_no_commands_of_psql() {
        // Whatever encoding psql takes the files to be in.
        assert!(sql("setup.sql").is_ascii());
        for (name, text) in MIGRATIONS {
            assert!(text.is_ascii(), "{name}");
            assert!(!text.lines().any(|line| line.trim_start().starts_with('\\')), "{name}");
        }
    }
}
