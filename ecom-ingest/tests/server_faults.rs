//! The server fails at chosen moments, or accepts nothing for a while: nothing is lost, and nothing is stored twice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use ecom_sink_pg::server::{PrivateServer, Shutdown};
use fixture::program::{Ingest, free_port, readiness};
use fixture::{Database, database, database_on, drop_in, eventually, start_server};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

const OUR_SESSIONS: &str =
    "FROM pg_stat_activity WHERE application_name LIKE 'ecom %' AND datname = current_database()";

const ROWS: u32 = 500;

/// A file, and the program that loads it until it stops itself at a crash point.
async fn stopped_at(point: &str, database: &Database) -> (TempDir, Ingest) {
    let input = tempfile::tempdir().unwrap();
    drop_in(input.path(), "1.csv", 0..ROWS);
    let ingest = Ingest::start_to_crash(&database.url, &input, &["--settle", "0s"], &format!("{point}=stop"));
    eventually(point, async || ingest.is_stopped()).await;
    (input, ingest)
}

/// It goes on after a fault, and stores each row once; that an epoch was written twice would show as duplicates.
async fn goes_on(point: &str, ingest: Ingest, database: &Database) {
    ingest.signal(Signal::CONT);
    eventually(point, async || rows(database).await == i64::from(ROWS)).await;
    ingest.signal(Signal::TERM);
    ingest.succeed().await;
    let duplicates = "SELECT sum(duplicates)::int8 FROM ecom.ingest_split";
    assert_eq!(database.number(duplicates).await, 0, "{point}");
    database.check_balance().await;
}

async fn rows(database: &Database) -> i64 {
    let there = "SELECT (to_regclass('ecom.events') IS NOT NULL)::int::int8";
    match database.number(there).await {
        1 => database.rows().await,
        _ => 0,
    }
}

const MOMENTS: [&str; 8] = [
    "claim.locked",
    "claim.fence_raised",
    "copy.begun",
    "copy.piece_sent:2",
    "copy.finished",
    "turn.come",
    "commit.begun",
    "commit.acknowledged",
];

#[tokio::test]
async fn sessions_terminated_at_any_moment_lose_nothing() {
    for point in MOMENTS {
        let database = database().await;
        let (_input, ingest) = stopped_at(point, &database).await;
        let end = format!("SELECT count(pg_terminate_backend(pid)) {OUR_SESSIONS}");
        assert!(database.number(&end).await > 0);
        goes_on(point, ingest, &database).await;
    }
}

/// A session is killed as by the kernel when memory runs out: the server ends all sessions and recovers.
async fn kill_a_session(database: &Database) {
    let pid = database.number(&format!("SELECT max(pid)::int8 {OUR_SESSIONS}")).await;
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
    // The server may not have noticed yet.
    eventually("the end of all sessions", async || database.client.is_closed()).await;
}

/// Connects once the server has recovered.
async fn connect_again(url: &str) -> Client {
    let mut connected = None;
    eventually("the recovery", async || {
        if let Ok((client, session)) = tokio_postgres::connect(url, NoTls).await {
            tokio::spawn(session);
            connected = Some(client);
        }
        connected.is_some()
    })
    .await;
    connected.unwrap()
}

#[tokio::test]
async fn server_crashes_at_any_moment_lose_nothing() {
    let server = start_server().await;
    for (at, point) in MOMENTS.into_iter().enumerate() {
        let database = database_on(&server).await;
        let (_input, ingest) = stopped_at(point, &database).await;
        match at % 2 {
            0 => kill_a_session(&database).await,
            _ => server.restart(Shutdown::Immediate).await.unwrap(),
        }
        let client = connect_again(&database.url).await;
        goes_on(point, ingest, &Database { client, ..database }).await;
    }
}

/// The program at work, with a first file loaded.
async fn at_work(database: &Database) -> (TempDir, Ingest) {
    let input = tempfile::tempdir().unwrap();
    drop_in(input.path(), "first.csv", 0..100);
    let ingest = Ingest::start(database, &input, &["--settle", "0s"]);
    eventually("the first file", async || rows(database).await == 100).await;
    (input, ingest)
}

async fn loads_the_second_file(database: &Database, ingest: Ingest) {
    eventually("the second file", async || rows(database).await == 200).await;
    ingest.signal(Signal::TERM);
    ingest.succeed().await;
    database.check_balance().await;
}

async fn execute(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap();
}

/// It is so too while the source asks the ledger for a new file.
#[tokio::test]
async fn it_is_not_ready_while_the_server_is_away_and_rows_wait() {
    let server = start_server().await;
    let mut database = database_on(&server).await;
    let (input, port) = (tempfile::tempdir().unwrap(), free_port());
    drop_in(input.path(), "first.csv", 0..100);
    let ingest = Ingest::start(&database, &input, &["--settle", "0s", "--listen", &port.to_string()]);
    eventually("the first file", async || rows(&database).await == 100).await;
    eventually("it is ready", async || {
        readiness(port).is_some_and(|(status, _)| status == 200)
    })
    .await;
    server.stop(Shutdown::Immediate).await.unwrap();
    drop_in(input.path(), "second.csv", 100..200);
    let is_away = async || {
        readiness(port)
            .is_some_and(|(status, why)| status == 503 && why.starts_with("trying again: reading the ledger"))
    };
    eventually("it is not ready", is_away).await;
    eventually("it has tried again", async || {
        ingest.log().matches("trying again").count() >= 3
    })
    .await;
    assert!(is_away().await, "{:?}", readiness(port));

    server.start().await.unwrap();
    database.client = connect_again(&database.url).await;
    eventually("it is ready again", async || {
        readiness(port).is_some_and(|(status, _)| status == 200)
    })
    .await;
    loads_the_second_file(&database, ingest).await;
}

/// A server that is there but answers nothing is away too.
#[tokio::test]
async fn it_is_not_ready_while_the_server_does_not_answer() {
    let server = start_server().await;
    let database = database_on(&server).await;
    let (input, port) = (tempfile::tempdir().unwrap(), free_port());
    drop_in(input.path(), "first.csv", 0..100);
    let ingest = Ingest::start(&database, &input, &["--settle", "0s", "--listen", &port.to_string()]);
    eventually("the first file", async || rows(&database).await == 100).await;
    let leads = "SELECT a.pid::int8 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                 WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()";
    let leader = Pid::from_raw(database.number(leads).await as i32).unwrap();
    kill_process(leader, Signal::STOP).unwrap();
    eventually("it is not ready", async || {
        readiness(port).is_some_and(|(status, why)| status == 503 && why.contains("no answer from the server"))
    })
    .await;
    kill_process(leader, Signal::CONT).unwrap();
    eventually("it is ready again", async || {
        readiness(port).is_some_and(|(status, _)| status == 200)
    })
    .await;
    drop_in(input.path(), "second.csv", 100..200);
    loads_the_second_file(&database, ingest).await;
}

#[tokio::test]
async fn a_missing_table_is_waited_for() {
    let database = database().await;
    let (input, ingest) = at_work(&database).await;
    execute(
        &database.client,
        "SET lock_timeout = '20s'; ALTER TABLE ecom.events RENAME TO away",
    )
    .await;
    drop_in(input.path(), "second.csv", 100..200);
    eventually("the pause", async || ingest.log().contains("paused")).await;
    execute(&database.client, "ALTER TABLE ecom.away RENAME TO events").await;
    loads_the_second_file(&database, ingest).await;
    assert_eq!(database.number("SELECT count(*) FROM ecom.dead_letters").await, 0);
}

#[tokio::test]
async fn a_constraint_on_the_ledger_pauses_loading_and_rejects_no_row() {
    for table in ["ingest_split", "ingest_pipeline"] {
        let database = database().await;
        let (input, ingest) = at_work(&database).await;
        let rule = match table {
            "ingest_split" => "CHECK (path <> 'second.csv')",
            _ => "CHECK (epoch < 2)",
        };
        execute(
            &database.client,
            &format!("SET lock_timeout = '20s'; ALTER TABLE ecom.{table} ADD CONSTRAINT mine {rule} NOT VALID"),
        )
        .await;
        drop_in(input.path(), "second.csv", 100..200);
        eventually("the pause", async || {
            let log = ingest.log();
            log.contains("paused: writing failed: ")
                && log.contains("\"mine\"")
                && log.contains("a table of the ledger")
        })
        .await;
        execute(
            &database.client,
            &format!("ALTER TABLE ecom.{table} DROP CONSTRAINT mine"),
        )
        .await;
        loads_the_second_file(&database, ingest).await;
        assert_eq!(database.number("SELECT count(*) FROM ecom.dead_letters").await, 0);
    }
}

#[tokio::test]
async fn a_trigger_on_the_ledger_that_raises_pauses_loading_and_rejects_no_row() {
    for trigger in [
        "TRIGGER mine BEFORE INSERT ON ecom.ingest_split",
        "CONSTRAINT TRIGGER mine AFTER INSERT ON ecom.ingest_split DEFERRABLE INITIALLY DEFERRED",
    ] {
        let database = database().await;
        let (input, ingest) = at_work(&database).await;
        let refuse = format!(
            "SET lock_timeout = '20s';
             CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'closed today'; END $$;
             CREATE {trigger} FOR EACH ROW EXECUTE FUNCTION mine()"
        );
        execute(&database.client, &refuse).await;
        drop_in(input.path(), "second.csv", 100..200);
        eventually("the pause", async || {
            let log = ingest.log();
            log.contains("paused: writing failed: closed today") && log.contains("a table of the ledger")
        })
        .await;
        execute(&database.client, "DROP TRIGGER mine ON ecom.ingest_split").await;
        loads_the_second_file(&database, ingest).await;
        assert_eq!(database.number("SELECT count(*) FROM ecom.dead_letters").await, 0);
    }
}

#[tokio::test]
async fn a_read_only_server_is_waited_for() {
    let database = database().await;
    let (input, ingest) = at_work(&database).await;
    let name = database
        .row("SELECT quote_ident(current_database())")
        .await
        .get::<_, String>(0);
    execute(
        &database.client,
        &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
    )
    .await;
    database
        .row(&format!("SELECT count(pg_terminate_backend(pid)) {OUR_SESSIONS}"))
        .await;
    drop_in(input.path(), "second.csv", 100..200);
    eventually("the wait", async || ingest.log().contains("trying again")).await;
    execute(
        &database.client,
        &format!("ALTER DATABASE {name} RESET default_transaction_read_only"),
    )
    .await;
    loads_the_second_file(&database, ingest).await;
}

#[tokio::test]
async fn a_server_without_a_free_connection_is_waited_for() {
    let server = PrivateServer::builder().temporary().setting("fsync", "off");
    let server = server.setting("max_connections", "10").start().await.unwrap();
    let database = database_on(&server).await;
    let (input, ingest) = at_work(&database).await;
    // Whatever place gets free is taken, until the program has none.
    let mut taken = Vec::new();
    let end = format!("SELECT count(pg_terminate_backend(pid)) {OUR_SESSIONS}");
    eventually("no place for it", async || {
        let ended = database.number(&end).await;
        while let Ok((client, session)) = tokio_postgres::connect(&database.url, NoTls).await {
            tokio::spawn(session);
            taken.push(client);
        }
        ended == 0
    })
    .await;
    drop_in(input.path(), "second.csv", 100..200);
    eventually("the wait", async || ingest.log().contains("53300")).await;
    drop(taken);
    loads_the_second_file(&database, ingest).await;
}

#[tokio::test]
async fn statements_may_be_cancelled_at_any_time() {
    let database = database().await;
    let (input, ingest) = at_work(&database).await;
    for file in 0..20 {
        drop_in(
            input.path(),
            &format!("{file:02}.csv"),
            100 + file * 500..600 + file * 500,
        );
    }
    let cancel = format!("SELECT count(pg_cancel_backend(pid)) {OUR_SESSIONS} AND state = 'active'");
    let mut cancelled = 0;
    eventually("some that were cancelled", async || {
        for _ in 0..20 {
            cancelled += database.number(&cancel).await;
        }
        cancelled >= 10 || rows(&database).await == 10_100
    })
    .await;
    assert!(cancelled > 0, "it was over before a statement could be cancelled");
    eventually("every row", async || rows(&database).await == 10_100).await;
    ingest.signal(Signal::TERM);
    ingest.succeed().await;
    database.check_balance().await;
}
