//! The schema: applied, checked, and set up by psql.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests too"
)]

mod fixture;

use std::fs;

use ecom_sink_pg::schema::{apply, check, script};
use fixture::schema::{
    SQL, ask, current, database_with_schema, dump, migrations, psql, psql_script, refused, said, setup,
};
use fixture::{Database, connect, database};
use tokio_postgres::Client;

/// All that the catalogue says of relations, functions and columns, with the identity of every object.
async fn parts(client: &Client) -> [Vec<String>; 3] {
    let relations = "
        SELECT c.oid, c.relname, c.relkind, c.reloptions, pg_get_viewdef(c.oid), obj_description(c.oid, 'pg_class'), c.relacl
        FROM pg_class c WHERE c.relnamespace = 'ecom'::regnamespace ORDER BY c.oid";
    let functions = "
        SELECT p.oid, pg_get_functiondef(p.oid), obj_description(p.oid, 'pg_proc'), p.proacl
        FROM pg_proc p WHERE p.pronamespace = 'ecom'::regnamespace ORDER BY p.oid";
    let columns = "
        SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            col_description(a.attrelid, a.attnum)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'ecom'::regnamespace AND a.attnum > 0 ORDER BY a.attrelid, a.attnum";
    [
        ask(client, relations).await,
        ask(client, functions).await,
        ask(client, columns).await,
    ]
}

/// The same of a schema that is complete.
async fn catalogue(client: &Client) -> Vec<String> {
    let parts = parts(client).await;
    assert!(parts.iter().all(|part| !part.is_empty()), "{parts:?}");
    parts.concat()
}

async fn history(client: &Client) -> Vec<String> {
    let sql = "SELECT version, name, applied_on, checksum FROM ecom.schema_history ORDER BY version";
    ask(client, sql).await
}

/// The number of the last migration.
fn last_version() -> u32 {
    let last = migrations().pop().unwrap();
    last[1..].split("__").next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn applies_to_an_empty_database_and_again() {
    let mut db = database().await;
    let message = refused(check(&db.client).await);
    let expected = "there is no schema ecom in this database (ecom-ingest schema apply creates it)";
    assert_eq!(message, expected);
    db.execute("CREATE SCHEMA ecom").await;
    let message = refused(check(&db.client).await);
    let expected = format!(
        "the schema ecom lacks {} (run psql -f sql/setup.sql",
        migrations().join(", ")
    );
    assert!(message.starts_with(&expected), "{message}");
    db.execute("DROP SCHEMA ecom").await;

    apply(&mut db.client).await.unwrap();
    check(&db.client).await.unwrap();
    let before = (history(&db.client).await, catalogue(&db.client).await);
    assert_eq!(before.0.len(), migrations().len());
    apply(&mut db.client).await.unwrap();
    assert_eq!((history(&db.client).await, catalogue(&db.client).await), before);
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(db.number(locks).await, 0, "it keeps its lock");
}

#[tokio::test]
async fn applies_from_several_connections_at_once() {
    let db = database().await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let mut client = connect(&db.url).await;
        // The wait for each other has a limit of its own, whatever the session has.
        let settings = "SET lock_timeout = '100ms'; SET search_path = pg_catalog";
        client.batch_execute(settings).await.unwrap();
        tasks.push(tokio::spawn(async move { apply(&mut client).await }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    check(&db.client).await.unwrap();
    assert_eq!(history(&db.client).await.len(), migrations().len());
}

#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn a_schema_made_by_setup_sql_is_current() {
    let mut db = database().await;
    assert_eq!(setup(&db.url), current());
    check(&db.client).await.unwrap();
    let before = (history(&db.client).await, catalogue(&db.client).await);
    apply(&mut db.client).await.unwrap();
    assert_eq!(setup(&db.url), current());
    assert_eq!((history(&db.client).await, catalogue(&db.client).await), before);

    // refinery reads what was recorded when there is something to apply, and must be able to.
    let last = last_version();
    db.execute(&format!("DELETE FROM ecom.schema_history WHERE version = {last}"))
        .await;
    apply(&mut db.client).await.unwrap();
    let names = "SELECT 'V' || version || '__' || name FROM ecom.schema_history ORDER BY version";
    assert_eq!(db.ask(names).await, migrations());
}

#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn the_script_leaves_what_apply_leaves() {
    let mut db = database().await;
    assert_eq!(psql_script(&db.url, &script()), current());
    check(&db.client).await.unwrap();
    let applied = database_with_schema().await;
    assert_eq!(dump(&db.url).await, dump(&applied.url).await);
    let migrations = "SELECT version, name, checksum FROM ecom.schema_history ORDER BY version";
    assert_eq!(db.ask(migrations).await, applied.ask(migrations).await);

    let before = (history(&db.client).await, catalogue(&db.client).await);
    apply(&mut db.client).await.unwrap();
    assert_eq!(psql_script(&db.url, &script()), current());
    assert_eq!((history(&db.client).await, catalogue(&db.client).await), before);
    assert_eq!(psql_script(&applied.url, &script()), current());
}

#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn setup_sql_accepts_a_schema_made_by_apply() {
    let db = database_with_schema().await;
    let before = (history(&db.client).await, catalogue(&db.client).await);
    assert_eq!(setup(&db.url), current());
    assert_eq!((history(&db.client).await, catalogue(&db.client).await), before);
}

#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn setup_refuses_another_form_of_a_migration() {
    let db = database_with_schema().await;
    db.execute("UPDATE ecom.schema_history SET checksum = '1' WHERE version = 2")
        .await;
    let output = psql(&db.url, "setup.sql", &[]);
    assert!(!output.status.success());
    let expected = "migration V2__ledger was applied here in another form than this file has";
    assert!(said(&output).contains(expected), "{}", said(&output));
}

#[tokio::test]
async fn migrations_run_twice_change_nothing() {
    let mut db = database().await;
    for file in migrations() {
        run_migration(&db, &file).await;
        let before = parts(&db.client).await;
        run_migration(&db, &file).await;
        assert_eq!(parts(&db.client).await, before, "{file}");
    }

    let before = catalogue(&db.client).await;
    // What was made by hand is taken over.
    apply(&mut db.client).await.unwrap();
    assert_eq!(catalogue(&db.client).await, before);

    // And all of them after each other, which is how something that was dropped comes back.
    for file in migrations() {
        run_migration(&db, &file).await;
    }
    assert_eq!(catalogue(&db.client).await, before);
}

/// Runs the file of a migration in a session of its own.
async fn run_migration(db: &Database, name: &str) {
    let sql = fs::read_to_string(format!("{SQL}/migrations/{name}.sql")).unwrap();
    let run = connect(&db.url).await.batch_execute(&sql).await;
    run.unwrap_or_else(|err| panic!("{name}: {err:?}"));
}

#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn setup_sql_that_runs_again_changes_nothing() {
    let db = database_with_schema().await;
    let before = (history(&db.client).await, catalogue(&db.client).await);
    let again = psql(&db.url, "setup.sql", &["-v", "again=on"]);
    assert_eq!(said(&again), current());
    assert_eq!((history(&db.client).await, catalogue(&db.client).await), before);
}

#[tokio::test]
async fn schema_errors_say_what_is_wrong_and_how_to_fix_it() {
    let mut db = database_with_schema().await;
    let cases = [
        (
            "ALTER TABLE ecom.events DROP COLUMN brand",
            "ecom.events has no column brand (text)",
            "add the column again as sql/migrations/V1__tables.sql defines it",
        ),
        (
            "ALTER TABLE ecom.ingest_pipeline DROP COLUMN owns",
            "ecom.ingest_pipeline has no column owns (text[])",
            "add the column again as sql/migrations/V2__ledger.sql defines it",
        ),
        (
            "ALTER TABLE ecom.ingest_pipeline DROP COLUMN holder_id",
            "ecom.ingest_pipeline has no column holder_id (uuid)",
            "add the column again as sql/migrations/V12__leader.sql defines it",
        ),
        (
            "ALTER TABLE ecom.events ALTER COLUMN price TYPE numeric(14, 3)",
            "ecom.events.price is numeric(14,3), not numeric(12,2)",
            "ALTER TABLE ecom.events ALTER COLUMN price TYPE numeric(12,2)",
        ),
        (
            "ALTER TABLE ecom.events ADD COLUMN shop integer NOT NULL",
            "ecom.events has a NOT NULL column \"shop\" without a default, which this program does not fill",
            "ALTER TABLE ecom.events ALTER COLUMN \"shop\" DROP NOT NULL",
        ),
        (
            "ALTER TABLE ecom.events DROP CONSTRAINT events_pkey",
            "ecom.events has no valid unique index on (event_id, event_time)",
            "CREATE UNIQUE INDEX ON ecom.events (event_id, event_time)",
        ),
        (
            "DROP TABLE ecom.operator_state",
            "there is no table ecom.operator_state",
            "run psql -v again=on -f sql/setup.sql as the owner of the schema",
        ),
        (
            "ALTER TABLE ecom.dead_letters SET UNLOGGED",
            "ecom.dead_letters is unlogged, so a crash of the server would empty it",
            "ALTER TABLE ecom.dead_letters SET LOGGED",
        ),
        (
            "DROP FUNCTION ecom.ensure_partitions",
            "there is no function ecom.ensure_partitions(date[])",
            "run psql -v again=on -f sql/setup.sql as the owner of the schema",
        ),
    ];
    for (harm, problem, mend) in cases {
        db.execute("BEGIN").await;
        db.execute(harm).await;
        let message = refused(check(&db.client).await);
        db.execute("ROLLBACK").await;
        let (said, hint) = message.split_once(" (to fix it: ").unwrap();
        assert_eq!(said, format!("the schema ecom does not fit this program: {problem}"));
        assert!(hint.contains(mend), "{message}");
    }

    // A nullable column more is nobody's harm. All that is harm is in one message.
    db.execute("ALTER TABLE ecom.events ADD COLUMN note text").await;
    check(&db.client).await.unwrap();
    db.execute("DROP TABLE ecom.operator_state; ALTER TABLE ecom.dead_letters DROP COLUMN epoch")
        .await;
    let message = refused(apply(&mut db.client).await);
    let both = "ecom.dead_letters has no column epoch (bigint); there is no table ecom.operator_state";
    assert!(message.contains(both), "{message}");
}

#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn setup_sql_that_runs_again_creates_what_is_missing() {
    let db = database_with_schema().await;
    db.execute("DROP TABLE ecom.operator_state; ALTER TABLE ecom.dead_letters DROP COLUMN epoch")
        .await;
    // The comment on the column that is missing.
    let again = || psql(&db.url, "setup.sql", &["-v", "again=on"]);
    assert_eq!(again().status.code(), Some(3));
    db.execute("ALTER TABLE ecom.dead_letters ADD COLUMN epoch bigint NOT NULL")
        .await;
    assert!(again().status.success());
    check(&db.client).await.unwrap();
}

#[tokio::test]
async fn a_newer_or_foreign_schema_is_reported() {
    let mut db = database_with_schema().await;
    let last = last_version();
    let cases: [(&str, &str); 4] = [
        (
            "INSERT INTO ecom.schema_history VALUES (99, 'shops', '2027-01-01T00:00:00Z', '1')",
            &format!(
                "the schema ecom is newer than this program: it has V99__shops, but this program ends with V{last}"
            ),
        ),
        (
            "UPDATE ecom.schema_history SET checksum = '1' WHERE version = 2",
            "the schema ecom was created by another program: V2__ledger was applied with a text that differs from \
             V2__ledger here",
        ),
        (
            &format!(
                "UPDATE ecom.schema_history SET applied_on = '2026-11-23 12:00:00+00' WHERE version = 1;
             DELETE FROM ecom.schema_history WHERE version = {last}"
            ),
            "ecom.schema_history has a time for V1__tables that is not in RFC 3339",
        ),
        (
            "DELETE FROM ecom.schema_history WHERE version = 1",
            &format!("ecom.schema_history lacks V1__tables, though V{last} was applied (run psql -f sql/setup.sql"),
        ),
    ];
    for (harm, expected) in cases {
        db.execute("BEGIN").await;
        db.execute(harm).await;
        let checked = refused(check(&db.client).await);
        let applied = refused(apply(&mut db.client).await);
        db.execute("ROLLBACK").await;
        assert!(checked.starts_with(expected), "{checked}");
        assert_eq!(checked, applied);
    }
    check(&db.client).await.unwrap();
}

#[tokio::test]
async fn everything_has_a_comment() {
    let db = database_with_schema().await;
    db.execute("SELECT ecom.ensure_partitions(ARRAY['2026-11-23']::date[])")
        .await;
    let silent = "
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = 'ecom'::regnamespace AND c.relkind IN ('r', 'p', 'v')
          AND obj_description(c.oid, 'pg_class') IS NULL
        UNION ALL
        SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'ecom'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
          AND col_description(c.oid, a.attnum) IS NULL
        UNION ALL
        SELECT p.proname FROM pg_proc p
        WHERE p.pronamespace = 'ecom'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
        UNION ALL
        SELECT nspname FROM pg_namespace n
        WHERE n.nspname = 'ecom' AND obj_description(n.oid, 'pg_namespace') IS NULL";
    assert_eq!(db.ask(silent).await, [""; 0]);
}
