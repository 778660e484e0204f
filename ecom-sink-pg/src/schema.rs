//! The schema of the database: brings it up to date, or says what is wrong with it.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::iter;

use futures::future;
use refinery::{Migration, Runner};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{Client, Row};

use ecom_stream::{Error, ErrorKind, Result};

/// Every migration, in order: the name of its file and its text.
const MIGRATIONS: &[(&str, &str)] = &[
    ("V1__tables", include_str!("../sql/migrations/V1__tables.sql")),
    ("V2__views", include_str!("../sql/migrations/V2__views.sql")),
];

/// Where it is written down which of them were applied.
const HISTORY: &str = "ecom.schema_history";

/// Held while migrations run, so that instances that start together don't collide; `sql/setup.sql` takes the same one.
/// For the session, since refinery opens and closes transactions of its own. The limit of the wait replaces that of the
/// session, which may be meant for the lock of a row.
const LOCK: &str =
    "SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_lock(hashtextextended('ecom.schema_history', 0))";
const UNLOCK: &str = "SELECT pg_advisory_unlock(hashtextextended('ecom.schema_history', 0))";

/// A table as the sink needs it.
struct Table {
    name: &'static str,
    kind: &'static str,
    /// Columns that are unique together, in alphabetical order.
    keys: &'static [&'static str],
    rights: &'static [&'static str],
    columns: &'static [(&'static str, &'static str)],
}

const TIME: &str = "timestamp with time zone";

/// Every table that the sink writes to.
const TABLES: &[Table] = &[
    Table {
        name: "events",
        kind: "partitioned table",
        keys: &["event_id, event_time"],
        rights: &["SELECT", "INSERT"],
        columns: &[
            ("event_time", TIME),
            ("processed_at", TIME),
            ("split_id", "bigint"),
            ("record_no", "bigint"),
            ("event_id", "uuid"),
            ("quantity", "integer"),
            ("event_type", "text"),
            ("user_id", "text"),
            ("session_id", "text"),
            ("product_id", "text"),
            ("product_name", "text"),
            ("category", "text"),
            ("brand", "text"),
            ("price", "numeric(12,2)"),
        ],
    },
    Table {
        name: "dead_letters",
        kind: "table",
        keys: &[],
        rights: &["INSERT"],
        columns: &[
            ("id", "bigint"),
            ("split_id", "bigint"),
            ("record_no", "bigint"),
            ("byte_offset", "bigint"),
            ("epoch", "bigint"),
            ("rejected_at", TIME),
            ("pipeline", "text"),
            ("path", "text"),
            ("reason", "text"),
            ("detail", "text"),
            ("raw", "bytea"),
            ("raw_text", "text"),
        ],
    },
    Table {
        name: "ingest_split",
        kind: "table",
        keys: &["split_id", "generation, path, pipeline, source"],
        rights: &["SELECT", "INSERT", "UPDATE"],
        columns: &[
            ("split_id", "bigint"),
            ("read_offset", "bigint"),
            ("record_no", "bigint"),
            ("read", "bigint"),
            ("stored", "bigint"),
            ("duplicates", "bigint"),
            ("rejected", "bigint"),
            ("filtered", "bigint"),
            ("first_seen_at", TIME),
            ("updated_at", TIME),
            ("finished_at", TIME),
            ("generation", "integer"),
            ("pipeline", "text"),
            ("source", "text"),
            ("path", "text"),
            ("state", "text"),
            ("reason", "text"),
            ("detail", "text"),
            ("mark", "json"),
            ("size", "bigint"),
            ("mtime", TIME),
            ("digest", "text"),
            ("ignored_columns", "text"),
        ],
    },
    Table {
        name: "ingest_pipeline",
        kind: "table",
        keys: &["pipeline"],
        rights: &["SELECT", "INSERT", "UPDATE"],
        columns: &[
            ("pipeline", "text"),
            ("pipeline_id", "bigint"),
            ("sources", "jsonb"),
            ("fence", "bigint"),
            ("epoch", "bigint"),
            ("started_at", TIME),
            ("committed_at", TIME),
            ("holder", "text"),
        ],
    },
    Table {
        name: "operator_state",
        kind: "table",
        keys: &["key, operator, pipeline"],
        rights: &["SELECT", "INSERT", "UPDATE", "DELETE"],
        columns: &[
            ("epoch", "bigint"),
            ("format", "integer"),
            ("pipeline", "text"),
            ("operator", "text"),
            ("key", "bytea"),
            ("value", "bytea"),
        ],
    },
];

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
        return Err(Error::new(ErrorKind::Schema, lacking(&pending)).hint(HOW_TO_MIGRATE));
    }
    found.judge()
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
    }
    let mut runner = Runner::new(&migrations()?).set_grouped(true);
    runner.set_migration_table_name(HISTORY);
    match runner.run_async(client).await {
        Ok(report) => {
            let applied: Vec<String> = report.applied_migrations().iter().map(Migration::to_string).collect();
            tracing::info!("brought the schema ecom up to date: {}", applied.join(", "));
            Ok(())
        }
        Err(err) => Err(found.not_migrated(&pending, err)),
    }
}

/// What there is in the database.
struct Found {
    /// The role of the session, quoted for SQL.
    role: String,
    schema_exists: bool,
    may_use_schema: bool,
    may_read_history: bool,
    partition_maker: bool,
    may_make_partitions: bool,
    /// By version.
    applied: BTreeMap<i32, Applied>,
    /// By name.
    tables: BTreeMap<String, FoundTable>,
}

struct Applied {
    name: String,
    checksum: Option<u64>,
    applied_on_is_valid: bool,
}

struct FoundTable {
    kind: String,
    unlogged: bool,
    keys: Vec<String>,
    rights: Vec<String>,
    /// By name.
    columns: BTreeMap<String, FoundColumn>,
}

struct FoundColumn {
    sql_type: String,
    /// A row without a value for it is refused.
    must_be_given: bool,
}

// Both ask the catalogue only, which needs no rights, and never for an object that may not be there.
const FACTS: &str = "
    SELECT
        quote_ident(current_user) AS role,
        n.oid IS NOT NULL AS schema_exists,
        coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS may_use_schema,
        h.oid IS NOT NULL AS history_exists,
        coalesce(has_table_privilege(h.oid, 'SELECT'), false) AS may_read_history,
        p.oid IS NOT NULL AS partition_maker,
        coalesce(has_function_privilege(p.oid, 'EXECUTE'), false) AS may_make_partitions
    FROM (VALUES (1)) AS one
    LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'ecom'
    LEFT JOIN pg_catalog.pg_class h ON h.relnamespace = n.oid AND h.relname = 'schema_history'
    LEFT JOIN pg_catalog.pg_proc p
        ON p.pronamespace = n.oid AND p.proname = 'ensure_partitions' AND oidvectortypes(p.proargtypes) = 'date[]'";

const COLUMNS: &str = "
    SELECT
        c.relname::text AS table_name,
        CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' ELSE 'not a table' END AS kind,
        c.relpersistence = 'u' AS unlogged,
        ARRAY(
            SELECT (SELECT string_agg(k.attname, ', ' ORDER BY k.attname)
                    FROM pg_catalog.pg_attribute k
                    WHERE k.attrelid = c.oid AND k.attnum = ANY (i.indkey))
            FROM pg_catalog.pg_index i
            WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        ) AS keys,
        ARRAY(
            SELECT needed
            FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needed
            WHERE has_table_privilege(c.oid, needed)
        ) AS rights,
        a.attname::text AS column_name,
        format_type(a.atttypid, a.atttypmod) AS sql_type,
        a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS must_be_given
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'ecom'
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition";

const APPLIED: &str = "SELECT version, name, checksum, applied_on FROM ecom.schema_history";

impl Found {
    /// Looks, in one round trip for the catalogue and one for the history. No statements are prepared, which would
    /// double that.
    async fn look(client: &Client) -> Result<Self> {
        let catalogue = future::try_join(client.query_typed_one(FACTS, &[]), client.query_typed(COLUMNS, &[]));
        let (facts, columns) = catalogue.await.map_err(|err| failed("looking at the schema", err))?;
        let mut found = Self {
            role: facts.get("role"),
            schema_exists: facts.get("schema_exists"),
            may_use_schema: facts.get("may_use_schema"),
            may_read_history: facts.get("may_read_history"),
            partition_maker: facts.get("partition_maker"),
            may_make_partitions: facts.get("may_make_partitions"),
            applied: BTreeMap::new(),
            tables: BTreeMap::new(),
        };
        for row in &columns {
            found.add_column(row);
        }
        if facts.get("history_exists") && found.may_use_schema && found.may_read_history {
            let history = client.query_typed(APPLIED, &[]).await;
            for row in &history.map_err(|err| failed("reading ecom.schema_history", err))? {
                found.add_applied(row);
            }
        } else if facts.get("history_exists") {
            return Err(found.history_is_closed());
        }
        Ok(found)
    }

    fn add_column(&mut self, row: &Row) {
        let table = self.tables.entry(row.get("table_name")).or_insert_with(|| FoundTable {
            kind: row.get("kind"),
            unlogged: row.get("unlogged"),
            keys: row.get("keys"),
            rights: row.get("rights"),
            columns: BTreeMap::new(),
        });
        let column = FoundColumn {
            sql_type: row.get("sql_type"),
            must_be_given: row.get("must_be_given"),
        };
        table.columns.insert(row.get("column_name"), column);
    }

    fn add_applied(&mut self, row: &Row) {
        let name: Option<String> = row.get("name");
        let checksum: Option<String> = row.get("checksum");
        let applied_on: Option<String> = row.get("applied_on");
        let applied = Applied {
            name: name.unwrap_or_default(),
            checksum: checksum.and_then(|text| text.parse().ok()),
            applied_on_is_valid: applied_on.is_some_and(|text| OffsetDateTime::parse(&text, &Rfc3339).is_ok()),
        };
        self.applied.insert(row.get("version"), applied);
    }

    fn history_is_closed(&self) -> Error {
        let role = &self.role;
        Error::new(
            ErrorKind::Schema,
            format!("the role {role} may not read ecom.schema_history, so it can't tell the schema's version"),
        )
        .hint(format!(
            "GRANT USAGE ON SCHEMA ecom TO {role}; GRANT SELECT ON ecom.schema_history TO {role}; \
                 sql/setup.sql lists all that a writer needs"
        ))
    }

    /// The migrations that are still to be applied. An error if the schema is newer than this program, or another one.
    fn pending(&self) -> Result<Vec<Migration>> {
        let known = migrations()?;
        let newest = known.iter().map(Migration::version).max().unwrap_or_default();
        for (version, applied) in &self.applied {
            let label = format!("V{version}__{}", applied.name);
            let Some(ours) = known.iter().find(|ours| ours.version() == *version) else {
                return Err(if *version > newest {
                    let message = format!(
                        "the schema ecom is newer than this program: it has {label}, the program ends with V{newest}"
                    );
                    Error::new(ErrorKind::Schema, message).hint("use the newer program that applied it")
                } else {
                    let message =
                        format!("the schema ecom is another one: {label} was applied, which this program doesn't know");
                    Error::new(ErrorKind::Schema, message).hint(ANOTHER_SCHEMA)
                });
            };
            if ours.name() != applied.name || Some(ours.checksum()) != applied.checksum {
                let message = format!(
                    "the schema ecom is another one: {label} was applied with another text than {ours} has here"
                );
                return Err(Error::new(ErrorKind::Schema, message).hint(ANOTHER_SCHEMA));
            }
            // refinery panics at it when it next has something to apply.
            if !applied.applied_on_is_valid {
                let message = format!("ecom.schema_history has a time for {label} that is not in RFC 3339");
                let hint = format!(
                    "UPDATE ecom.schema_history SET applied_on = '2000-01-01T00:00:00Z' WHERE version = {version}"
                );
                return Err(Error::new(ErrorKind::Schema, message).hint(hint));
            }
        }
        let pending: Vec<Migration> = known
            .into_iter()
            .filter(|ours| !self.applied.contains_key(&ours.version()))
            .collect();
        // refinery only goes forward.
        if let (Some(first), Some((last, _))) = (pending.first(), self.applied.last_key_value())
            && first.version() < *last
        {
            let message = format!("ecom.schema_history lacks {first}, though V{last} was applied");
            return Err(
                Error::new(ErrorKind::Schema, message).hint("run psql -f sql/setup.sql as the owner of the schema")
            );
        }
        Ok(pending)
    }

    fn not_migrated(&self, pending: &[Migration], err: impl StdError + Send + Sync + 'static) -> Error {
        match server_error(&err) {
            Some(db) if *db.code() == SqlState::INSUFFICIENT_PRIVILEGE => {
                let message = format!(
                    "{}, and the role {} may not apply it: {}",
                    lacking(pending),
                    self.role,
                    db.message()
                );
                Error::new(ErrorKind::Schema, message).hint(HOW_TO_MIGRATE)
            }
            _ => failed("bringing the schema ecom up to date", err),
        }
    }

    /// Compares the tables with what will be written, once all migrations are there.
    fn judge(&self) -> Result<()> {
        let mut problems = Problems::default();
        if !self.may_use_schema {
            problems.add(
                format!("the role {} may not use the schema", self.role),
                format!("GRANT USAGE ON SCHEMA ecom TO {}", self.role),
            );
        }
        for table in TABLES {
            match self.tables.get(table.name) {
                Some(found) => table.compare(found, &self.role, &mut problems),
                None => problems.add(format!("there is no table ecom.{}", table.name), MAKE_TABLES),
            }
        }
        if !self.partition_maker {
            problems.add("there is no function ecom.ensure_partitions(date[])", MAKE_TABLES);
        } else if !self.may_make_partitions {
            problems.add(
                format!("the role {} may not EXECUTE ecom.ensure_partitions(date[])", self.role),
                format!(
                    "GRANT EXECUTE ON FUNCTION ecom.ensure_partitions(date[]) TO {}",
                    self.role
                ),
            );
        }
        problems.into_result()
    }
}

impl Table {
    fn compare(&self, found: &FoundTable, role: &str, problems: &mut Problems) {
        let name = self.name;
        if found.kind != self.kind {
            problems.add(
                format!("ecom.{name} is a {}, not a {}", found.kind, self.kind),
                REBUILD_TABLE,
            );
        }
        if found.unlogged {
            let problem = format!("ecom.{name} is unlogged, so a crash of the server would empty it");
            problems.add(problem, format!("ALTER TABLE ecom.{name} SET LOGGED"));
        }
        for (column, sql_type) in self.columns {
            match found.columns.get(*column) {
                None => problems.add(
                    format!("ecom.{name} has no column {column} ({sql_type})"),
                    RESTORE_COLUMN,
                ),
                Some(found) if found.sql_type != *sql_type => problems.add(
                    format!("ecom.{name}.{column} is {}, not {sql_type}", found.sql_type),
                    format!("ALTER TABLE ecom.{name} ALTER COLUMN {column} TYPE {sql_type}"),
                ),
                Some(_) => {}
            }
        }
        for (column, found) in &found.columns {
            if found.must_be_given && !self.columns.iter().any(|(ours, _)| ours == column) {
                problems.add(
                    format!("ecom.{name} has a column {column:?} that must be given, and this program doesn't know it"),
                    format!("ALTER TABLE ecom.{name} ALTER COLUMN {column:?} DROP NOT NULL"),
                );
            }
        }
        for key in self.keys {
            if !found.keys.iter().any(|found| found == key) {
                problems.add(
                    format!("ecom.{name} has no valid unique index on ({key})"),
                    format!("CREATE UNIQUE INDEX ON ecom.{name} ({key})"),
                );
            }
        }
        let lacking: Vec<&str> = self
            .rights
            .iter()
            .copied()
            .filter(|right| !found.rights.iter().any(|found| found == right))
            .collect();
        if !lacking.is_empty() {
            let lacking = lacking.join(", ");
            problems.add(
                format!("the role {role} may not {lacking} on ecom.{name}"),
                format!("GRANT {lacking} ON ecom.{name} TO {role}"),
            );
        }
    }
}

/// All that is wrong, so that it can be mended in one go.
#[derive(Default)]
struct Problems {
    problems: Vec<String>,
    mends: Vec<String>,
}

impl Problems {
    fn add(&mut self, problem: impl Into<String>, mend: impl Into<String>) {
        self.problems.push(problem.into());
        let mend = mend.into();
        if !self.mends.contains(&mend) {
            self.mends.push(mend);
        }
    }

    fn into_result(self) -> Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the schema ecom is not as this program needs it: {}",
            self.problems.join("; ")
        );
        Err(Error::new(ErrorKind::Schema, message).hint(format!("to mend it: {}", self.mends.join("; "))))
    }
}

const HOW_TO_MIGRATE: &str =
    "run psql -f sql/setup.sql as the owner of the schema, or start this program once as that role";
const ANOTHER_SCHEMA: &str = "use the program that it was made by, or another database";
const MAKE_TABLES: &str =
    "run psql -f sql/migrations/V1__tables.sql as the owner of the schema, which makes what is missing";
const RESTORE_COLUMN: &str = "add the column again as sql/migrations/V1__tables.sql has it";
const REBUILD_TABLE: &str = "rename the table and run psql -f sql/migrations/V1__tables.sql, which makes it anew";

fn lacking(pending: &[Migration]) -> String {
    let pending: Vec<String> = pending.iter().map(Migration::to_string).collect();
    format!("the schema ecom lacks {}", pending.join(", "))
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
    let passes = ["08", "40", "53", "55", "57", "25006"]
        .iter()
        .any(|class| code.starts_with(class));
    let kind = if passes {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Schema
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
        for (at, migration) in migrations().unwrap().iter().enumerate() {
            assert_eq!(migration.version(), at as i32 + 1, "{migration}");
        }
    }

    /// What `setup.sql` must have for a migration.
    fn step(migration: &Migration) -> String {
        let (version, name, checksum) = (migration.version(), migration.name(), migration.checksum());
        format!(
            "\\set checksum {checksum}
SELECT count(*) = 0 AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = {version} \\gset
\\if :differs
    DO $$ BEGIN RAISE 'migration {migration} was applied here in another form than this file has'; END $$;
\\elif :pending
    \\ir migrations/{migration}.sql
    INSERT INTO ecom.schema_history VALUES ({version}, '{name}', :'applied_on', :'checksum');
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
    fn sql_is_ascii_and_migrations_have_no_commands_of_psql() {
        // Whatever encoding psql takes the files to be in.
        assert!(sql("setup.sql").is_ascii());
        for (name, text) in MIGRATIONS {
            assert!(text.is_ascii(), "{name}");
            assert!(!text.lines().any(|line| line.trim_start().starts_with('\\')), "{name}");
        }
    }
}
