//! What roles with few rights can do.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests too"
)]

mod fixture;

use ecom_sink_pg::schema::apply;
use ecom_sink_pg::{PgSink, Table};
use ecom_stream::SourceExt;
use ecom_stream::memory::MemorySource;
use fixture::calls::{CALLS, VIEWS, Values};
use fixture::program::{Ingest, once, program};
use fixture::schema::{ROLES, ask, current, database_with_schema, dump, grant_roles, psql, refused, said, setup};
use fixture::{Database, HEADER, connect, database, drop_in, drop_in_text, line};
use tokio_postgres::{Client, Config, NoTls};

/// A role of that name, and a session as it.
async fn connect_as_new(url: &str, role: &str) -> Client {
    let made = connect(url).await;
    made.batch_execute(&format!("CREATE ROLE \"{role}\" LOGIN"))
        .await
        .unwrap();
    let mut config: Config = url.parse().unwrap();
    let (client, connection) = config.user(role).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A database with the roles of `roles.sql`, and sessions as them.
async fn database_with_roles() -> (Database, Client, Client) {
    let admin = database_with_schema().await;
    for _ in 0..2 {
        grant_roles(&admin).await;
    }
    let writer = connect(&as_role(&admin, "ecom_writer")).await;
    let reader = connect(&as_role(&admin, "ecom_reader")).await;
    (admin, writer, reader)
}

fn as_role(admin: &Database, role: &str) -> String {
    format!("{}&user={role}", admin.url)
}

async fn check_denied(client: &Client, statements: &[&str]) {
    for denied in statements {
        let err = client.batch_execute(denied).await.expect_err(denied);
        assert_eq!(err.code().unwrap().code(), "42501", "{denied}");
    }
}

#[tokio::test]
async fn a_writer_that_owns_nothing_is_enough_for_a_current_schema() {
    let mut admin = database().await;
    let mut writer = connect_as_new(&admin.url, "the writer").await;
    let message = refused(apply(&mut writer).await);
    let expected = "there is no schema ecom in this database, and the role \"the writer\" may not create it: \
     permission denied for database";
    assert!(message.starts_with(expected), "{message}");

    apply(&mut admin.client).await.unwrap();
    let message = refused(apply(&mut writer).await);
    let grant = "GRANT SELECT ON ecom.schema_history TO \"the writer\"";
    assert!(message.contains(grant), "{message}");
    admin
        .execute(&format!("GRANT USAGE ON SCHEMA ecom TO \"the writer\"; {grant}"))
        .await;
    let message = refused(apply(&mut writer).await);
    for expected in [
        "the role \"the writer\" lacks SELECT (event_id, event_time), INSERT on ecom.events; ",
        "GRANT EXECUTE ON FUNCTION ecom.ensure_partitions(date[]) TO \"the writer\"",
    ] {
        assert!(message.contains(expected), "{message}");
    }
    // What the message says is enough.
    let (_, mends) = message.split_once("(to fix it: ").unwrap();
    admin.execute(mends.strip_suffix(')').unwrap()).await;
    apply(&mut writer).await.unwrap();
    let made = ask(&writer, "SELECT ecom.ensure_partitions(ARRAY['2026-11-23']::date[])").await;
    assert_eq!(made, ["1"]);
}

#[tokio::test]
async fn ecom_writer_may_only_ingest() {
    let (admin, mut writer, _) = database_with_roles().await;
    apply(&mut writer).await.unwrap();
    let input = tempfile::tempdir().unwrap();
    drop_in(input.path(), "a.csv", 0..100);
    // Rows that are there already are looked up.
    drop_in(input.path(), "b.csv", 50..150);
    drop_in_text(input.path(), "c.csv", format!("{HEADER}not,an,event\n{}", line(150)));
    let as_writer = Database {
        url: as_role(&admin, "ecom_writer"),
        client: connect(&admin.url).await,
    };
    for _ in 0..2 {
        let log = once(&as_writer, &input).await;
        assert!(!log.contains("the role"), "{log}");
    }
    assert_eq!(admin.rows().await, 151);
    admin.check_balance().await;
    let state = "INSERT INTO ecom.operator_state VALUES (1, 1, 'events', 'o', 'k', 'v');
                 UPDATE ecom.operator_state SET value = 'w'; DELETE FROM ecom.operator_state";
    writer.batch_execute(state).await.unwrap();
    check_denied(
        &writer,
        &[
            "SELECT user_id FROM ecom.events",
            "SELECT FROM ecom.events_by_type",
            "UPDATE ecom.events SET price = 0",
            "DELETE FROM ecom.events",
            "TRUNCATE ecom.events",
            "SELECT event_id FROM ecom.events_y20261101",
            "INSERT INTO ecom.events_y20261101 SELECT * FROM ecom.events_y20261101",
            "DROP TABLE ecom.events_y20261101",
            "ALTER TABLE ecom.events DETACH PARTITION ecom.events_y20261101",
            "CREATE INDEX ON ecom.events_y20261101 (user_id)",
            "CREATE TABLE ecom.mine ()",
            "SELECT FROM ecom.dead_letters",
            "DELETE FROM ecom.dead_letters",
            "DELETE FROM ecom.ingest_split",
            "UPDATE ecom.ingest_total SET read = 0",
            "DELETE FROM ecom.ingest_pruned",
            "DELETE FROM ecom.ingest_pipeline",
            "UPDATE ecom.settings SET partition_width = 'hour'",
            "UPDATE ecom.schema_history SET checksum = NULL",
            "CREATE OR REPLACE FUNCTION ecom.ensure_partitions(days date[]) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        ],
    )
    .await;
    // What runs with the rights of the owner does what it says, whatever the session has set up around it.
    let trap = "CREATE TEMP TABLE pg_class (); CREATE TEMP TABLE unnest (); SET search_path = pg_temp, public, ecom;
                SET timezone = 'Asia/Kathmandu'; SELECT ecom.ensure_partitions(ARRAY['2030-01-01']::date[])";
    writer.batch_execute(trap).await.unwrap();
    let made = "SELECT pg_get_userbyid(relowner) = current_user FROM pg_class
                WHERE oid = 'ecom.events_y20300101'::regclass";
    assert_eq!(admin.ask(made).await, ["t"]);
    for wrong in ["'infinity'", "'0044-03-15 BC'"] {
        let sql = format!("SELECT ecom.ensure_partitions(ARRAY[{wrong}]::date[])");
        let err = writer.batch_execute(&sql).await.unwrap_err();
        assert_eq!(err.code().unwrap().code(), "22023", "{wrong}");
    }
}

#[tokio::test]
async fn sequences_that_are_behind_their_rows_catch_up_at_the_start() {
    let (admin, _, _) = database_with_roles().await;
    let input = tempfile::tempdir().unwrap();
    drop_in_text(input.path(), "a.csv", format!("{HEADER}not,an,event\n{}", line(1)));
    let as_writer = Database {
        url: as_role(&admin, "ecom_writer"),
        client: connect(&admin.url).await,
    };
    once(&as_writer, &input).await;
    // As a server is that got the rows by logical replication.
    let behind = "SELECT setval(pg_get_serial_sequence('ecom.dead_letters', 'id'), 1, false),
                         setval(pg_get_serial_sequence('ecom.ingest_pipeline', 'pipeline_id'), 1, false)";
    admin.ask(behind).await;
    drop_in_text(input.path(), "b.csv", format!("{HEADER}not,an,event\n{}", line(2)));
    let other = tempfile::tempdir().unwrap();
    drop_in_text(other.path(), "c.csv", format!("{HEADER}not,an,event\n{}", line(3)));
    let log = once(&as_writer, &input).await;
    assert!(log.contains("sequences of the ledger were behind"), "{log}");
    let log = Ingest::start(&as_writer, &other, &["--once", "--pipeline", "other"])
        .succeed()
        .await;
    assert!(!log.contains("sequences"), "{log}");
    assert_eq!(admin.number("SELECT count(*) FROM ecom.dead_letters").await, 3);
    admin.check_balance().await;

    // A role that may not move them is told what to do.
    admin
        .execute("REVOKE EXECUTE ON FUNCTION ecom.catch_up_sequences() FROM ecom_writer")
        .await;
    admin.ask(behind).await;
    let (status, log) = Ingest::start(&as_writer, &input, &["--once", "--pipeline", "third", "--moved"])
        .end()
        .await;
    assert_eq!(status.code(), Some(4), "{log}");
    assert!(log.contains("SELECT ecom.catch_up_sequences() as the owner"), "{log}");
    admin.execute("SELECT ecom.catch_up_sequences()").await;
    Ingest::start(&as_writer, &input, &["--once", "--pipeline", "third", "--allow-copies"])
        .succeed()
        .await;
}

/// Runs a command, and gives its exit code and what it wrote.
fn run(url: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = program().env("DATABASE_URL", url).args(arguments).output().unwrap();
    (output.status.code(), said(&output))
}

#[tokio::test]
async fn a_command_as_the_wrong_role_says_at_once_which_role_it_needs() {
    let (admin, _, _) = database_with_roles().await;
    let input = tempfile::tempdir().unwrap();
    drop_in_text(input.path(), "a.csv", format!("{HEADER}not,an,event\n{}", line(1)));
    let (writer, reader) = (as_role(&admin, "ecom_writer"), as_role(&admin, "ecom_reader"));
    let as_writer = Database {
        url: writer.clone(),
        client: connect(&admin.url).await,
    };
    once(&as_writer, &input).await;
    let out = tempfile::tempdir().unwrap();
    let to = out.path().to_str().unwrap();
    let (code, text) = run(&reader, &["rejects", "export", "--to", to]);
    assert_eq!(code, Some(0), "{text}");
    let file = std::fs::read_dir(out.path()).unwrap().next().unwrap().unwrap().path();
    let file = file.to_str().unwrap();
    let directory = input.path().to_str().unwrap();

    let reads = "connect as a role that may read, such as ecom_reader, or as the owner";
    let writes = "the role ecom_reader may only read: default_transaction_read_only is on for it";
    let owns = "does not own the table ecom.events";
    for (url, arguments, expected, message) in [
        (&writer, &["status"][..], 4, reads),
        (&writer, &["rejects", "list"], 4, reads),
        (&writer, &["rejects", "export", "--to", to], 4, reads),
        (
            &writer,
            &["rejects", "retry", file],
            4,
            "connect as the owner of the schema",
        ),
        (&writer, &["settle"], 3, owns),
        (&writer, &["retain", "--days", "9"], 3, owns),
        (&writer, &["layout"], 3, owns),
        (&reader, &["settle"], 3, writes),
        (&reader, &["retain", "--days", "9"], 3, writes),
        (&reader, &["layout"], 3, writes),
        (&reader, &["rejects", "retry", file], 3, writes),
        (&reader, &["schema", "apply"], 3, writes),
        (&reader, &["run", "--once", "--input", directory], 3, writes),
    ] {
        // It does not wait for a server that is there.
        let wait = ["--wait", "10m"];
        let (code, text) = run(url, &[arguments, &wait].concat());
        assert_eq!(code, Some(expected), "{arguments:?}: {text}");
        assert!(
            text.contains(message) && !text.contains("trying again"),
            "{arguments:?}: {text}"
        );
    }
    let (code, text) = run(&reader, &["status"]);
    assert_eq!(code, Some(0), "{text}");
}

#[tokio::test]
async fn ecom_reader_may_only_read() {
    let (admin, _, reader) = database_with_roles().await;
    let settings = "SELECT current_setting('statement_timeout'), current_setting('default_transaction_read_only'),
                           current_setting('idle_in_transaction_session_timeout')";
    assert_eq!(ask(&reader, settings).await, ["30s|on|1min"]);
    // Nothing of it for other databases and roles.
    assert_eq!(admin.ask(settings).await, ["0|off|0"]);
    let elsewhere = database().await;
    let reader_elsewhere = connect(&as_role(&elsewhere, "ecom_reader")).await;
    assert_eq!(ask(&reader_elsewhere, settings).await, ["0|off|0"]);

    let late = reader
        .batch_execute("SET statement_timeout = '10ms'; SELECT pg_sleep(10)")
        .await;
    assert_eq!(late.unwrap_err().code().unwrap().code(), "57014");
    let written = reader.batch_execute("CREATE TEMP TABLE mine ()").await;
    assert_eq!(written.unwrap_err().code().unwrap().code(), "25006");
    admin
        .execute("SELECT ecom.ensure_partitions(ARRAY['2026-11-23']::date[])")
        .await;
    let values = Values {
        since: "2026-11-23",
        until: "2026-11-24",
        user: "u",
        product: "p",
        category: "c",
    };
    let calls = CALLS.iter().map(|(_, call)| values.put_into(call));
    for of in calls.chain(VIEWS.iter().map(|view| format!("ecom.{view}"))) {
        ask(&reader, &format!("SELECT * FROM {of}")).await;
    }
    for of in [
        "events",
        "dead_letters",
        "ingest_split",
        "ingest_total",
        "ingest_pruned",
        "ingest_pipeline",
        "settings",
        "schema_history",
    ] {
        ask(&reader, &format!("SELECT count(*) FROM ecom.{of}")).await;
    }
    // A session may take back what protects it from accidents; rights stay.
    reader
        .batch_execute("SET default_transaction_read_only = off; SET statement_timeout = 0")
        .await
        .unwrap();
    check_denied(
        &reader,
        &[
            "INSERT INTO ecom.events (event_time) VALUES (now())",
            "UPDATE ecom.events SET price = 0",
            "DELETE FROM ecom.events",
            "DELETE FROM ecom.dead_letters",
            "UPDATE ecom.ingest_split SET state = 'open'",
            "UPDATE ecom.ingest_pipeline SET fence = fence + 1",
            "UPDATE ecom.settings SET partition_width = 'hour'",
            "SELECT FROM ecom.operator_state",
            "SELECT ecom.ensure_partitions(ARRAY['2026-11-24']::date[])",
            "DROP TABLE ecom.events_y20261123",
            "CREATE TABLE ecom.mine ()",
        ],
    )
    .await;
}

#[tokio::test]
async fn an_owner_without_rights_on_the_database_is_enough() {
    let admin = database().await;
    let mut owner = connect_as_new(&admin.url, "an_owner").await;
    admin.execute("CREATE SCHEMA ecom AUTHORIZATION an_owner").await;
    for _ in 0..2 {
        apply(&mut owner).await.unwrap();
    }
    let owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'ecom'::regnamespace";
    assert_eq!(admin.ask(owners).await, ["an_owner"]);

    // Not even the schema need be its own.
    admin
        .execute("DROP SCHEMA ecom CASCADE; CREATE SCHEMA ecom; GRANT USAGE, CREATE ON SCHEMA ecom TO an_owner")
        .await;
    apply(&mut owner).await.unwrap();
}

#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn an_owner_without_rights_on_the_database_is_enough_for_setup_sql() {
    let admin = database().await;
    let mut owner = connect_as_new(&admin.url, "another_owner").await;
    let own_url = as_role(&admin, "another_owner");
    admin.execute("CREATE SCHEMA ecom AUTHORIZATION another_owner").await;
    apply(&mut owner).await.unwrap();
    assert_eq!(setup(&own_url), current());
    admin
        .execute("DROP SCHEMA ecom CASCADE; CREATE SCHEMA ecom AUTHORIZATION another_owner")
        .await;
    assert_eq!(setup(&own_url), current());
    apply(&mut owner).await.unwrap();
}

/// What the other tests of the roles show holds for the file as psql runs it.
#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn roles_sql_in_psql_grants_what_its_statements_grant() {
    let settings = "SELECT setrole::regrole, unnest(setconfig) FROM pg_db_role_setting
                    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1, 2";
    let (by_psql, by_statements) = (database_with_schema().await, database_with_schema().await);
    grant_roles(&by_statements).await;
    {
        let _guard = ROLES.lock().await;
        for _ in 0..2 {
            let output = psql(&by_psql.url, "roles.sql", &[]);
            assert_eq!(said(&output), "The roles ecom_writer and ecom_reader are up to date\n");
        }
    }
    assert_eq!(dump(&by_psql.url).await, dump(&by_statements.url).await);
    let granted = by_psql.ask(settings).await;
    assert_eq!(granted.len(), 3, "{granted:?}");
    assert_eq!(granted, by_statements.ask(settings).await);
}

#[tokio::test]
async fn a_writer_needs_only_the_privileges_that_user_tables_use() {
    let (admin, _, _) = database_with_roles().await;
    let make = "
        CREATE TABLE added (word text);
        CREATE TABLE replaced (word text PRIMARY KEY);
        CREATE TABLE secured (word text); ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
        GRANT INSERT ON added, replaced, secured TO ecom_writer";
    admin.execute(make).await;
    let url = as_role(&admin, "ecom_writer");
    let run = async |pipeline: &str, table: Table<String>| {
        let sink = PgSink::from_url(&url).unwrap().pipeline(pipeline).into_tables(table);
        let words = vec!["one".to_owned(), "two".to_owned()];
        MemorySource::new("words", words).to(sink).run().await
    };
    let table = |name: &str| Table::new(name).column("word", String::clone);
    assert_eq!(run("added", table("added")).await.unwrap().counts.stored, 2);
    let err = run("secured", table("secured")).await.unwrap_err();
    assert!(
        err.to_string().contains("row-level security applies to this role"),
        "{err}"
    );
    let err = run("replaced", table("replaced").key(["word"])).await.unwrap_err();
    let grant = "GRANT SELECT, UPDATE ON \"public\".\"replaced\" TO ecom_writer";
    let lacking = format!("the role ecom_writer lacks SELECT, UPDATE on \"public\".\"replaced\" ({grant})");
    assert_eq!(err.to_string(), lacking);
    admin.execute(grant).await;
    let summary = run("replaced", table("replaced").key(["word"])).await.unwrap();
    assert_eq!(summary.counts.stored, 2);
}
