//! The migrations of the schema, embedded from `sql/migrations`.

use ecom_stream::{Error, ErrorKind, Result};
use refinery::Migration;

/// The script of psql that runs and records the migrations.
const SETUP: &str = include_str!("../../sql/setup.sql");

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
    (
        "V9__partition_widths",
        include_str!("../../sql/migrations/V9__partition_widths.sql"),
    ),
    (
        "V10__merged_partitions",
        include_str!("../../sql/migrations/V10__merged_partitions.sql"),
    ),
    (
        "V11__sequences",
        include_str!("../../sql/migrations/V11__sequences.sql"),
    ),
    ("V12__leader", include_str!("../../sql/migrations/V12__leader.sql")),
    (
        "V13__ledger_totals",
        include_str!("../../sql/migrations/V13__ledger_totals.sql"),
    ),
    (
        "V14__directories",
        include_str!("../../sql/migrations/V14__directories.sql"),
    ),
    (
        "V15__refunds_orders_currencies",
        include_str!("../../sql/migrations/V15__refunds_orders_currencies.sql"),
    ),
    (
        "V16__read_again",
        include_str!("../../sql/migrations/V16__read_again.sql"),
    ),
];

/// Every migration, in order: its name and its SQL, which psql can run too.
///
/// # Examples
///
/// ```
/// let (name, sql) = ecom_sink_pg::schema::texts().next().unwrap();
/// assert_eq!(name, "V1__tables");
/// assert!(sql.contains("CREATE TABLE"));
/// ```
pub fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
    MIGRATIONS.iter().copied()
}

/// `sql/setup.sql` with every migration in it: one script for psql, which leaves the schema as [`apply`](super::apply) does,
/// with its record of the migrations. Running it again changes nothing.
///
/// # Examples
///
/// ```
/// let script = ecom_sink_pg::schema::script();
/// assert!(script.contains("CREATE TABLE IF NOT EXISTS ecom.events (") && !script.contains("\\ir "));
/// ```
pub fn script() -> String {
    let mut script = String::new();
    for line in SETUP.lines() {
        let included = line.trim_start().strip_prefix("\\ir migrations/");
        let name = included.and_then(|file| file.strip_suffix(".sql"));
        match name.and_then(|name| MIGRATIONS.iter().find(|(known, _)| *known == name)) {
            Some((name, text)) => {
                script.push_str("-- ");
                script.push_str(name);
                script.push_str("\n\n");
                script.push_str(text);
            }
            None => script.push_str(line),
        }
        script.push('\n');
    }
    script
}

/// The name of the migration that added a column to a table; `None` if that is the one that creates the table.
pub(super) fn migration_that_added(table: &str, column: &str) -> Option<&'static str> {
    let table = format!("ALTER TABLE ecom.{table}\n");
    let column = format!("ADD COLUMN IF NOT EXISTS {column} ");
    let adds = |text: &str| {
        text.split(';')
            .filter_map(|statement| statement.split_once(&table))
            .any(|(_, change)| change.contains(&column))
    };
    MIGRATIONS.iter().find(|(_, text)| adds(text)).map(|(name, _)| *name)
}

/// Every migration in the form that refinery applies.
pub(super) fn migrations() -> Result<Vec<Migration>> {
    let migrations = MIGRATIONS.iter().map(|(name, sql)| Migration::unapplied(name, sql));
    migrations.collect::<Result<_, _>>().map_err(|err| {
        // Names are constants, and a test reads them all.
        Error::new(
            ErrorKind::Schema,
            "a migration of this program has a name that refinery cannot read",
        )
        .caused_by(err)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::tables::TABLES;
    use super::*;

    /// The text of a file in `sql/`.
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
        let script = script();
        assert!(!script.contains("\\ir "));
        assert!(MIGRATIONS.iter().all(|(_, text)| script.contains(text)));
    }

    #[test]
    fn the_migration_of_a_table_creates_it() {
        for table in TABLES {
            let (_, text) = MIGRATIONS.iter().find(|(name, _)| *name == table.migration).unwrap();
            let create = format!("\nCREATE TABLE IF NOT EXISTS ecom.{} (\n", table.name);
            assert!(text.contains(&create), "{} in {}", table.name, table.migration);
        }
    }

    #[test]
    fn each_column_is_defined_in_the_migration_that_an_error_names() {
        for table in TABLES {
            for (column, _) in table.columns {
                let added = migration_that_added(table.name, column);
                let (_, text) = MIGRATIONS
                    .iter()
                    .find(|(name, _)| *name == added.unwrap_or(table.migration))
                    .unwrap();
                let create = format!("\nCREATE TABLE IF NOT EXISTS ecom.{} (\n", table.name);
                let created = text.split_once(&create).and_then(|(_, rest)| rest.split_once("\n)"));
                let line = format!("\n    {column} ");
                let is_created = created.is_some_and(|(columns, _)| format!("\n{columns}").contains(&line));
                assert!(is_created != added.is_some(), "{}.{column}", table.name);
            }
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
