//! Two instances of one pipeline: one works, the other stands by or takes over; nothing is lost and nothing is stored twice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use fixture::program::{Ingest, once};
use fixture::{Database, database, drop_in, eventually};
use rustix::process::Signal;
use tempfile::TempDir;

const ROWS_PER_FILE: u32 = 500;

fn drop_files(input: &TempDir, files: std::ops::Range<u32>) {
    for file in files {
        drop_in(
            input.path(),
            &format!("{file}.csv"),
            file * ROWS_PER_FILE..(file + 1) * ROWS_PER_FILE,
        );
    }
}

/// The rows so far; none before there is a table.
async fn rows(database: &Database) -> i64 {
    let exists = database
        .row("SELECT to_regclass('ecom.ingest_pipeline') IS NOT NULL")
        .await;
    match exists.get(0) {
        true => database.rows().await,
        false => 0,
    }
}

/// The instance ends because another one has taken over.
async fn is_fenced(ingest: Ingest) {
    let (status, log) = ingest.end().await;
    assert_eq!(status.code(), Some(6), "{log}");
    assert!(log.contains("another instance has taken over"), "{log}");
}

async fn stop(ingest: Ingest) -> String {
    ingest.signal(Signal::TERM);
    ingest.succeed().await
}

/// All rows of so many files are there, each once.
async fn check(database: &Database, input: &TempDir, files: u32) {
    let expected = i64::from(files * ROWS_PER_FILE);
    eventually("every row", async || rows(database).await >= expected).await;
    assert_eq!(rows(database).await, expected);
    let ids = "SELECT count(DISTINCT event_id) FROM ecom.events";
    assert_eq!(database.number(ids).await, expected);
    database.check_balance().await;
    let unfinished = "SELECT count(*) FROM ecom.ingest_split WHERE state <> 'finished'";
    assert_eq!(database.number(unfinished).await, 0);
    assert_eq!(std::fs::read_dir(input.path()).unwrap().count(), files as usize);
}

#[tokio::test]
async fn a_second_instance_stands_by_and_takes_over() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let first = Ingest::start(&database, &input, &[]);
    drop_in(input.path(), "a.csv", 0..100);
    eventually("the first file", async || rows(&database).await == 100).await;
    let second = Ingest::start(&database, &input, &[]);
    eventually("the second standing by", async || second.log().contains("standing by")).await;
    first.signal(Signal::KILL);
    first.end().await;
    drop_in(input.path(), "b.csv", 100..200);
    eventually("the second file", async || database.rows().await == 200).await;
    second.signal(Signal::TERM);
    let log = second.succeed().await;
    assert!(log.contains("standing by") && log.contains("taking over"), "{log}");
    database.check_balance().await;
}

/// As after a fault of the network or a restart of the server, when the other one is faster.
#[tokio::test]
async fn an_instance_that_has_lost_the_lead_stands_by_again() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let first = Ingest::start(&database, &input, &[]);
    drop_files(&input, 0..1);
    eventually("the first file", async || rows(&database).await > 0).await;
    let second = Ingest::start(&database, &input, &[]);
    eventually("the second standing by", async || second.log().contains("standing by")).await;
    first.signal(Signal::STOP);
    let leader = "FROM ecom.ingest_pipeline p JOIN pg_stat_activity a ON a.application_name = p.holder";
    let before = format!("SELECT count(pg_terminate_backend(a.pid)) {leader}");
    assert!(database.number(&before).await > 0);
    eventually("the second leading", async || second.log().contains("taking over")).await;
    drop_files(&input, 1..2);
    eventually("the second file", async || {
        database.rows().await == i64::from(2 * ROWS_PER_FILE)
    })
    .await;
    first.signal(Signal::CONT);
    eventually("the first standing by", async || first.log().contains("standing by")).await;
    assert!(first.log().contains("has lost the lead"), "{}", first.log());
    // It lost nothing.
    assert!(!first.log().contains("lost commits"), "{}", first.log());
    second.signal(Signal::KILL);
    second.end().await;
    drop_files(&input, 2..3);
    check(&database, &input, 3).await;
    stop(first).await;
}

#[tokio::test]
async fn take_over_terminates_the_leading_instance() {
    const FILES: u32 = 200;
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let first = Ingest::start(&database, &input, &[]);
    drop_files(&input, 0..FILES / 2);
    eventually("some rows", async || rows(&database).await > 0).await;
    let second = Ingest::start(&database, &input, &["--take-over"]);
    drop_files(&input, FILES / 2..FILES);
    is_fenced(first).await;
    eventually("every row", async || {
        rows(&database).await == i64::from(FILES * ROWS_PER_FILE)
    })
    .await;
    let log = stop(second).await;
    assert!(log.contains("ending the instance that runs pipeline"), "{log}");
    check(&database, &input, FILES).await;
}

#[tokio::test]
async fn an_idle_instance_notices_a_takeover() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let first = Ingest::start(&database, &input, &[]);
    drop_files(&input, 0..1);
    eventually("the first file", async || rows(&database).await > 0).await;
    let second = Ingest::start(&database, &input, &["--take-over"]);
    is_fenced(first).await;
    drop_files(&input, 1..2);
    check(&database, &input, 2).await;
    stop(second).await;
}

#[tokio::test]
async fn a_takeover_that_is_killed_halfway_loses_nothing() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let first = Ingest::start(&database, &input, &[]);
    drop_files(&input, 0..1);
    eventually("the first file", async || rows(&database).await > 0).await;
    let killed = Ingest::start_to_crash(&database.url, &input, &["--take-over"], "take_over.fence_raised");
    let (status, log) = killed.end().await;
    assert!(!status.success(), "{log}");
    is_fenced(first).await;
    drop_files(&input, 1..2);
    once(&database, &input).await;
    check(&database, &input, 2).await;
}

/// As when the machine of the first is paused, with all that it had under way.
#[tokio::test]
async fn a_stopped_instance_that_wakes_after_a_takeover_commits_nothing() {
    const FILES: u32 = 100;
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    for round in 1..=4 {
        let first = Ingest::start(&database, &input, &[]);
        let before = rows(&database).await;
        drop_files(&input, (round - 1) * FILES..round * FILES - 10);
        // Sooner or later in the work of the rounds.
        let some = before + i64::from((round - 1) * FILES / 5 * ROWS_PER_FILE);
        eventually("some rows", async || rows(&database).await > some).await;
        first.signal(Signal::STOP);
        let second = Ingest::start(&database, &input, &["--take-over"]);
        drop_files(&input, round * FILES - 10..round * FILES);
        check(&database, &input, round * FILES).await;
        first.signal(Signal::CONT);
        is_fenced(first).await;
        check(&database, &input, round * FILES).await;
        stop(second).await;
    }
    let log = once(&database, &input).await;
    assert!(log.contains("0 records read"), "{log}");
}

#[tokio::test]
async fn of_two_simultaneous_takeovers_one_instance_remains() {
    const FILES: u32 = 50;
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let first = Ingest::start(&database, &input, &[]);
    drop_files(&input, 0..FILES / 2);
    eventually("some rows", async || rows(&database).await > 0).await;
    let mut takers: Vec<Ingest> = (0..3)
        .map(|_| Ingest::start(&database, &input, &["--take-over"]))
        .collect();
    drop_files(&input, FILES / 2..FILES);
    is_fenced(first).await;
    while takers.len() > 1 {
        let mut over = None;
        eventually("the end of one", async || {
            over = takers
                .iter_mut()
                .position(|taker| taker.process.try_wait().unwrap().is_some());
            over.is_some()
        })
        .await;
        is_fenced(takers.swap_remove(over.unwrap())).await;
    }
    let last = takers.pop().unwrap();
    check(&database, &input, FILES).await;
    stop(last).await;
}

#[tokio::test]
async fn a_takeover_without_the_privilege_to_terminate_changes_nothing() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let first = Ingest::start(&database, &input, &[]);
    drop_files(&input, 0..1);
    eventually("the first file", async || rows(&database).await > 0).await;
    let fence = "SELECT fence FROM ecom.ingest_pipeline";
    let before = database.number(fence).await;

    let other = format!("other_{before}_{}", std::process::id());
    let make = format!(
        "CREATE ROLE {other} LOGIN; GRANT USAGE ON SCHEMA ecom TO {other};
         GRANT ALL ON ALL TABLES IN SCHEMA ecom TO {other}; GRANT ALL ON ALL FUNCTIONS IN SCHEMA ecom TO {other}"
    );
    database.client.batch_execute(&make).await.unwrap();
    let url = format!("{}&user={other}", database.url);
    let (status, log) = Ingest::start_at(&url, &input, &["--take-over"]).end().await;
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(log.contains("postgres") && log.contains("pg_signal_backend"), "{log}");

    // Nor from another directory by mistake.
    let elsewhere = tempfile::tempdir().unwrap();
    let (status, log) = Ingest::start(&database, &elsewhere, &["--take-over"]).end().await;
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(log.contains("--pipeline"), "{log}");

    assert_eq!(database.number(fence).await, before);
    drop_files(&input, 1..2);
    check(&database, &input, 2).await;
    let log = stop(first).await;
    assert!(!log.contains("trying again"), "{log}");
}
