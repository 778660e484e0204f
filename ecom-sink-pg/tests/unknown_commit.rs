//! A COMMIT whose answer never comes: the ledger shows whether it happened.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ecom_sink_pg::{EpochLimits, PgSink};
use ecom_stream::memory::MemorySource;
use ecom_stream::{ErrorKind, Event, EventType, SourceExt};
use fixture::{connect, database};
use tempfile::TempDir;
use time::macros::datetime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_postgres::config::Host;
use uuid::Uuid;

#[derive(Clone, Copy)]
enum Cut {
    /// The server gets COMMIT, the client never hears of it.
    Answer,
    /// COMMIT itself is lost.
    Commit,
    /// COMMIT is lost, and then the epoch of the ledger is set forward.
    CommitAndForward,
    /// COMMIT is lost, and both ends keep the connection, so that the transaction holds its rows until it is ended.
    Stall,
}

/// Stands between client and server, and cuts each connection at its second COMMIT.
struct Proxy {
    dir: TempDir,
    cuts: Arc<AtomicU32>,
}

async fn proxy(database_url: &str, cut: Cut) -> (Proxy, tokio_postgres::Config) {
    let url: Arc<str> = database_url.into();
    let config: tokio_postgres::Config = database_url.parse().unwrap();
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let Host::Unix(socket) = &config.get_hosts()[0] else {
        panic!("a private server has a socket")
    };
    let server = socket.join(format!(".s.PGSQL.{port}"));
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join(".s.PGSQL.5432")).unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let counter = cuts.clone();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = UnixStream::connect(&server).await.unwrap();
            tokio::spawn(forward(client, server, cut, counter.clone(), url.clone()));
        }
    });
    let mut through = tokio_postgres::Config::new();
    through
        .host_path(dir.path())
        .port(5432)
        .user("postgres")
        .dbname(config.get_dbname().unwrap());
    (Proxy { dir, cuts }, through)
}

async fn forward(client: UnixStream, server: UnixStream, cut: Cut, cuts: Arc<AtomicU32>, url: Arc<str>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        to_client
    });
    let mut buffer = vec![0; 64 << 10];
    let mut commits = 0;
    loop {
        let read = from_client.read(&mut buffer).await.unwrap_or(0);
        if read == 0 {
            break;
        }
        let is_commit = buffer[..read].windows(7).any(|window| window == b"COMMIT\0");
        commits += u32::from(is_commit);
        if is_commit && commits == 2 {
            cuts.fetch_add(1, Ordering::SeqCst);
            match cut {
                Cut::Answer => {
                    answers.abort();
                    let _ = to_server.write_all(&buffer[..read]).await;
                    // The server has to get that far before the connection ends.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Cut::Commit => answers.abort(),
                Cut::CommitAndForward => {
                    // The server rolls back; the client hears of it when the ledger is ahead.
                    to_server.shutdown().await.unwrap();
                    let _to_client = answers.await;
                    let forward = "UPDATE ecom.ingest_pipeline SET epoch = epoch + 50";
                    connect(&url).await.batch_execute(forward).await.unwrap();
                }
                Cut::Stall => std::future::pending().await,
            }
            return;
        }
        if to_server.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    // The session ends with the connection of its client.
    drop(to_server);
    let _ = answers.await;
}

async fn nothing_is_lost_or_doubled(cut: Cut) {
    nothing_is_lost_or_doubled_as(cut, "postgres", "").await;
}

/// As a role that `make` creates, with its privileges.
async fn nothing_is_lost_or_doubled_as(cut: Cut, role: &str, make: &str) {
    // Of a connection that stalls only this is noticed.
    let deadline = Duration::from_secs(1);
    let mut database = database().await;
    ecom_sink_pg::schema::apply(&mut database.client).await.unwrap();
    database.client.batch_execute(make).await.unwrap();
    let (proxy, mut through) = proxy(&database.url, cut).await;
    through.user(role);
    let noon = datetime!(2026-11-01 12:00 UTC);
    let events = (0..5_000).map(|n| Event::new(Uuid::from_u128(n), noon, EventType::View, "u", "s", "p"));
    let limits = EpochLimits::default().max_rows(500);
    let source = MemorySource::new("events", events.collect()).max_batch_rows(500);
    let summary = source
        .to(PgSink::with_config(through)
            .unwrap()
            .epoch_limits(limits)
            .deadline(deadline))
        .run()
        .await
        .unwrap();
    assert!(proxy.cuts.load(Ordering::SeqCst) >= 3, "no commit was cut");
    // Had an epoch been written again, its rows would be counted as duplicates.
    assert_eq!((summary.counts.stored, summary.counts.duplicates), (5_000, 0));
    assert_eq!(database.rows().await, 5_000);
    database.check_balance().await;
    drop(proxy.dir);
}

#[tokio::test]
async fn the_answer_to_a_commit_is_lost() {
    nothing_is_lost_or_doubled(Cut::Answer).await;
}

#[tokio::test]
async fn a_commit_is_lost_before_the_server_gets_it() {
    nothing_is_lost_or_doubled(Cut::Commit).await;
}

#[tokio::test]
async fn a_connection_stalls_and_nobody_ends_it() {
    nothing_is_lost_or_doubled(Cut::Stall).await;
}

#[tokio::test]
async fn a_connection_stalls_whose_role_is_set_to_another_one() {
    // The server shows the role that logged in, and the one that was set may not end its sessions.
    let make = "
        CREATE ROLE the_writer; CREATE ROLE the_login LOGIN; GRANT the_writer TO the_login;
        ALTER ROLE the_login SET role = 'the_writer'; GRANT USAGE ON SCHEMA ecom TO the_writer;
        GRANT ALL ON ALL TABLES IN SCHEMA ecom TO the_writer; GRANT ALL ON ALL FUNCTIONS IN SCHEMA ecom TO the_writer";
    nothing_is_lost_or_doubled_as(Cut::Stall, "the_login", make).await;
}

/// Epochs beyond its own are never taken for its own.
#[tokio::test]
async fn a_commit_is_lost_and_the_ledger_is_ahead() {
    let mut database = database().await;
    ecom_sink_pg::schema::apply(&mut database.client).await.unwrap();
    let (proxy, through) = proxy(&database.url, Cut::CommitAndForward).await;
    let sink = PgSink::with_config(through)
        .unwrap()
        .epoch_limits(EpochLimits::default().max_rows(500));
    let noon = datetime!(2026-11-01 12:00 UTC);
    let events = || (0..5_000).map(|n| Event::new(Uuid::from_u128(n), noon, EventType::View, "u", "s", "p"));
    let source = || MemorySource::new("events", events().collect()).max_batch_rows(500);
    let mut runs = 0;
    loop {
        runs += 1;
        match source().to(sink.clone()).run().await {
            Ok(_) => break,
            Err(err) => assert_eq!(err.kind(), ErrorKind::Stale, "{}", err.report()),
        }
    }
    assert!(runs > 1, "no commit was cut");
    assert_eq!(database.rows().await, 5_000);
    database.check_balance().await;
    drop(proxy.dir);
}
