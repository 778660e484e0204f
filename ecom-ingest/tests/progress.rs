//! The progress, lag and stages that a run into PostgreSQL reports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ecom_sink_pg::PgSink;
use ecom_stream::{CsvDirSource, Progress, Rules, SourceExt, StageDurations};
use fixture::program::once;
use fixture::{Database, HEADER, database, drop_in, drop_in_text, eventually};

/// Loads one file in a pipeline of its own, and gives the last progress.
async fn load(database: &Database, pipeline: &str) -> Arc<Progress> {
    let dir = tempfile::tempdir().unwrap();
    let csv = "event_id,event_time,event_type,user_id,session_id,product_id
1,2026-11-01T12:00:00Z,view,u,s,p
2,2026-11-01T12:00:01Z,view,u,s,p
3,yesterday,view,u,s,p
";
    // The older one first: the last epoch has the events.
    fs::write(dir.path().join("a.csv"), "something,else\n1,2\n").unwrap();
    fs::write(dir.path().join("b.csv"), csv).unwrap();
    let pipeline = CsvDirSource::new(dir.path())
        .available_now(true)
        .settle_for(Duration::from_millis(10))
        .validate(Rules::default())
        .to(PgSink::from_url(&database.url).unwrap().pipeline(pipeline));
    let progress = pipeline.subscribe();
    let summary = pipeline.run().await.unwrap();
    let last = progress.latest().expect("something was committed");
    assert_eq!((last.epochs, last.counts), (summary.epochs, summary.counts));
    assert_eq!((last.splits.finished, last.splits.set_aside), (1, 1));
    assert!(last.bytes >= 90, "{last:?}");
    assert!(last.lag.newest_event <= last.lag.oldest_event, "{last:?}");
    assert!(
        last.lag.newest_event.is_some() && last.lag.oldest_input.is_some(),
        "{last:?}"
    );
    assert!(last.stages.get("commit") > Duration::ZERO, "{last:?}");
    assert!(last.commit.stages.sum() <= last.elapsed, "{last:?}");
    last
}

#[tokio::test]
async fn every_stage_of_an_epoch_is_reported() {
    let database = database().await;
    const READER: [&str; 3] = [
        StageDurations::INPUT,
        StageDurations::READ,
        StageDurations::BACKPRESSURE,
    ];

    let first = load(&database, "first").await;
    assert_eq!((first.counts.stored, first.counts.rejected), (2, 1));
    let stages: Vec<_> = first.stages.iter().map(|(stage, _)| stage).collect();
    assert_eq!(stages[..3], READER);
    assert_eq!(stages[3..], ["gather", "retry", "begin", "copy", "turn", "commit"]);

    // The table has these rows already: the first try fails, the second looks them up.
    let second = load(&database, "second").await;
    assert_eq!((second.counts.duplicates, second.counts.rejected), (2, 1));
    let stages: Vec<_> = second.stages.iter().map(|(stage, _)| stage).collect();
    assert!(stages.contains(&"look_up"), "{stages:?}");
}

#[tokio::test]
async fn a_run_without_new_files_says_why() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let nothing = format!("there are no CSV files in {}", input.path().display());
    let log = once(&database, &input).await;
    assert!(log.contains(&nothing), "{log}");

    drop_in(input.path(), "a.csv", 0..10);
    drop_in_text(input.path(), "b.csv", format!("{HEADER}1,2\n"));
    let log = once(&database, &input).await;
    assert!(log.contains("how to fix them: ecom-ingest rejects list"), "{log}");
    assert!(!log.contains("CSV files"), "{log}");

    let log = once(&database, &input).await;
    let before = format!("CSV files in {}: 2, all read before", input.path().display());
    assert!(log.contains(&before) && !log.contains("rejects list"), "{log}");
}

#[tokio::test]
async fn the_log_shows_the_rate_and_the_lag() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    drop_in(input.path(), "a.csv", 0..1_000);
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecom-ingest"));
    command
        .args(["run", "--input"])
        .arg(input.path())
        .env("DATABASE_URL", &database.url)
        .stdin(Stdio::null())
        .stderr(log.reopen().unwrap());
    let mut ingest = command.spawn().unwrap();
    eventually("a line of progress", async || {
        let log = fs::read_to_string(&log).unwrap();
        let line = log.lines().find(|line| line.contains("stored"));
        line.is_some_and(|line| {
            ["/s, ", " behind the files, ", " behind the newest event"]
                .iter()
                .all(|part| line.contains(part))
        })
    })
    .await;
    ingest.kill().unwrap();
    ingest.wait().unwrap();
}
