//! The server goes back to an earlier state, as by a restore or a fail-over to a replica that lagged behind: one instance
//! leads, nothing is taken for stored that is not, and what is missing is named and loaded again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::fs;
use std::path::Path;
use std::process::Command;

use ecom_sink_pg::server::{PrivateServer, Shutdown};
use fixture::program::{Ingest, free_port, once, readiness};
use fixture::{Database, connect, database_on, drop_in, eventually, start_server};
use rustix::process::Signal;
use tempfile::TempDir;

/// A server of which a copy is put aside and put back.
struct Server {
    server: PrivateServer,
    backup: TempDir,
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}

impl Server {
    async fn start() -> Self {
        let (server, backup) = (start_server().await, tempfile::tempdir().unwrap());
        Self { server, backup }
    }

    async fn back_up(&self, database: &mut Database) {
        self.server.stop(Shutdown::Fast).await.unwrap();
        copy(self.server.data_dir(), &self.backup.path().join("data"));
        self.start_again(database).await;
    }

    async fn restore(&self, database: &mut Database) {
        self.server.stop(Shutdown::Immediate).await.unwrap();
        fs::remove_dir_all(self.server.data_dir()).unwrap();
        copy(&self.backup.path().join("data"), self.server.data_dir());
        self.start_again(database).await;
    }

    async fn start_again(&self, database: &mut Database) {
        self.server.start().await.unwrap();
        database.client = connect(&database.url).await;
    }
}

fn is_ready(port: u16) -> bool {
    readiness(port).is_some_and(|(status, _)| status == 200)
}

async fn leads(ingest: &Ingest, database: &Database) {
    eventually("it leads", async || {
        let holders =
            "SELECT count(*) FROM ecom.ingest_pipeline p JOIN pg_stat_activity a ON a.application_name = p.holder";
        assert!(!ingest.log().contains("has taken over"), "{}", ingest.log());
        database.number(holders).await > 0
    })
    .await;
}

/// All rows are there, each once, and the programs have ended in order.
async fn end(database: &Database, rows: i64, ingests: impl IntoIterator<Item = Ingest>) {
    eventually("every row", async || database.rows().await == rows).await;
    for ingest in ingests {
        ingest.signal(Signal::TERM);
        ingest.succeed().await;
    }
    assert_eq!(database.rows().await, rows);
    database.check_balance().await;
}

#[tokio::test]
async fn of_two_instances_with_the_same_fence_one_leads_and_no_file_of_the_other_is_deleted() {
    let server = Server::start().await;
    let (mut database, input) = (database_on(&server.server).await, tempfile::tempdir().unwrap());
    drop_in(input.path(), "before.csv", 0..10);
    once(&database, &input).await;
    server.back_up(&mut database).await;
    let args = ["--delete", "--settle", "0s"];
    let hung = Ingest::start(&database, &input, &args);
    leads(&hung, &database).await;
    let fence = "SELECT fence FROM ecom.ingest_pipeline";
    eventually("its fence", async || database.number(fence).await == 2).await;
    hung.signal(Signal::STOP);

    server.restore(&mut database).await;
    let other = Ingest::start(&database, &input, &args);
    eventually("the same fence again", async || database.number(fence).await == 2).await;
    for file in 1..=5 {
        drop_in(input.path(), &format!("{file}.csv"), file * 10..file * 10 + 10);
        let rows = i64::from(file * 10 + 10);
        eventually("a commit of the other", async || database.rows().await == rows).await;
    }
    // While it stands still, the hung one may think that it leads.
    other.signal(Signal::STOP);
    drop_in(input.path(), "day.csv", 1_000..2_000);
    hung.signal(Signal::CONT);
    eventually("it stands by", async || hung.log().contains("standing by")).await;
    assert!(
        hung.log().contains("has gone back to an earlier state"),
        "{}",
        hung.log()
    );
    assert!(!hung.log().contains("was committed, although"), "{}", hung.log());
    assert!(
        input.path().join("day.csv").exists(),
        "it was deleted without being stored"
    );
    assert_eq!(database.rows().await, 60);

    other.signal(Signal::CONT);
    eventually("the file is deleted", async || !input.path().join("day.csv").exists()).await;
    end(&database, 1_060, [hung, other]).await;
}

#[tokio::test]
async fn an_idle_instance_notices_and_loads_again_what_the_server_has_lost() {
    let server = Server::start().await;
    let (mut database, input) = (database_on(&server.server).await, tempfile::tempdir().unwrap());
    let port = free_port();
    drop_in(input.path(), "before.csv", 0..10);
    let ingest = Ingest::start(&database, &input, &["--settle", "0s", "--listen", &port.to_string()]);
    eventually("it is ready", async || is_ready(port)).await;
    eventually("the first file", async || database.rows().await == 10).await;
    server.back_up(&mut database).await;
    drop_in(input.path(), "lost.csv", 10..1_010);
    eventually("the second file", async || database.rows().await == 1_010).await;

    server.restore(&mut database).await;
    // Nothing comes meanwhile.
    eventually("what was lost", async || database.rows().await == 1_010).await;
    eventually("it is ready again", async || is_ready(port)).await;
    // The log is written by a thread of its own.
    eventually("it says that nothing is missing", async || {
        ingest.log().contains("is in the tables again")
    })
    .await;
    let log = ingest.log();
    let missing = "missing from the tables are 1000 records of lost.csv";
    assert!(log.contains(missing) && log.contains("has lost commits"), "{log}");
    end(&database, 1_010, [ingest]).await;
}

#[tokio::test]
async fn lost_files_that_were_archived_are_named_until_they_are_put_back() {
    let server = Server::start().await;
    let (mut database, input) = (database_on(&server.server).await, tempfile::tempdir().unwrap());
    let (archive, port) = (tempfile::tempdir().unwrap(), free_port());
    let (listen, to) = (port.to_string(), archive.path().to_str().unwrap());
    let args = ["--settle", "0s", "--listen", &listen, "--archive", to];
    let ingest = Ingest::start(&database, &input, &args);
    drop_in(input.path(), "before.csv", 0..10);
    let archived = |name: &str| archive.path().join(name).exists();
    eventually("the first file", async || archived("before.csv")).await;
    server.back_up(&mut database).await;
    drop_in(input.path(), "lost.csv", 10..1_010);
    eventually("the second file", async || archived("lost.csv")).await;

    server.restore(&mut database).await;
    eventually("it says what is missing", async || {
        readiness(port).is_some_and(|(status, why)| {
            status == 503 && why.contains("1000 records of lost.csv") && why.contains("back from the archive")
        })
    })
    .await;
    // New files are loaded meanwhile.
    drop_in(input.path(), "after.csv", 2_000..2_010);
    eventually("a new file", async || database.rows().await == 20).await;
    assert!(!is_ready(port));
    fs::rename(archive.path().join("lost.csv"), input.path().join("lost.csv")).unwrap();
    eventually("it is ready again", async || is_ready(port)).await;
    assert!(archived("lost.csv"));
    end(&database, 1_020, [ingest]).await;
}

/// Killed at the moment at which it has noticed, before it runs the pipeline again.
#[tokio::test]
async fn killed_after_it_has_noticed_it_loses_nothing() {
    let server = Server::start().await;
    let (mut database, input) = (database_on(&server.server).await, tempfile::tempdir().unwrap());
    drop_in(input.path(), "before.csv", 0..10);
    let ingest = Ingest::start_to_crash(&database.url, &input, &["--settle", "0s"], "service.run_ended");
    eventually("the schema", async || {
        let there = "SELECT (to_regclass('ecom.ingest_pipeline') IS NOT NULL)::int::int8";
        database.number(there).await == 1
    })
    .await;
    eventually("the first file", async || database.rows().await == 10).await;
    server.back_up(&mut database).await;
    drop_in(input.path(), "lost.csv", 10..1_010);
    eventually("the second file", async || database.rows().await == 1_010).await;
    server.restore(&mut database).await;
    let (status, log) = ingest.end().await;
    assert!(!status.success(), "{log}");
    once(&database, &input).await;
    end(&database, 1_010, []).await;
}

/// The instance that led ends with the server. The one that stood by has seen how far the ledger was.
#[tokio::test]
async fn an_instance_that_stands_by_notices_too() {
    let server = Server::start().await;
    let (mut database, input) = (database_on(&server.server).await, tempfile::tempdir().unwrap());
    drop_in(input.path(), "before.csv", 0..10);
    once(&database, &input).await;
    server.back_up(&mut database).await;
    let first = Ingest::start(&database, &input, &["--settle", "0s"]);
    leads(&first, &database).await;
    let second = Ingest::start(&database, &input, &["--settle", "0s"]);
    eventually("the second standing by", async || second.log().contains("standing by")).await;
    drop_in(input.path(), "lost.csv", 10..20);
    eventually("the second file", async || database.rows().await == 20).await;
    database
        .client
        .batch_execute("CREATE TABLE public.loaded AS SELECT clock_timestamp() AS at")
        .await
        .unwrap();
    eventually("a look of the second at the ledger", async || {
        let looked = "SELECT count(*) FROM pg_stat_activity, public.loaded
                      WHERE query LIKE 'SELECT epoch FROM ecom.ingest_pipeline%' AND query_start > at AND state = 'idle'";
        database.number(looked).await > 0
    })
    .await;
    // It keeps the lock until the server stops.
    first.signal(Signal::STOP);
    server.restore(&mut database).await;
    eventually("the error", async || second.log().contains("its ledger was at epoch")).await;
    first.signal(Signal::KILL);
    first.end().await;
    end(&database, 20, [second]).await;
}
