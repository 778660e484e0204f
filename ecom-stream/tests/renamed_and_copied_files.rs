//! Files that are renamed, rotated, copied or deleted: each record is read exactly once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::fs;
use std::time::{Duration, SystemTime};

use ecom_stream::memory::MemorySink;
use ecom_stream::{AfterCommit, CsvDirSource, Event, Position, Rules, SourceExt, SplitState, Summary};
use fixture::{HEADER, append, eventually, run_in_background};
use tempfile::TempDir;

const SETTLE: Duration = Duration::from_millis(200);

fn file(users: std::ops::Range<u32>) -> String {
    let rows = users.map(|user| format!("2026-11-01T12:00:00Z,view,{user},s,p\n"));
    std::iter::once(HEADER.to_owned()).chain(rows).collect()
}

/// Creates a file with an old modification time, `age` seconds older still.
fn put(dir: &TempDir, name: &str, text: &str, age: u64) {
    let temporary = dir.path().join(".new.tmp");
    fs::write(&temporary, text).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 - age);
    fs::File::open(&temporary).unwrap().set_modified(long_ago).unwrap();
    fs::rename(temporary, dir.path().join(name)).unwrap();
}

fn source(dir: &TempDir) -> CsvDirSource {
    CsvDirSource::new(dir.path()).settle_for(SETTLE).rescan_every(SETTLE)
}

async fn once(source: CsvDirSource, sink: &MemorySink<Event>) -> Summary {
    let pipeline = source.available_now(true).validate(Rules::default()).to(sink.clone());
    pipeline.run().await.unwrap()
}

fn users(sink: &MemorySink<Event>) -> Vec<u32> {
    let mut users: Vec<u32> = sink
        .values()
        .iter()
        .map(|event| event.user_id.parse().unwrap())
        .collect();
    users.sort_unstable();
    users
}

fn position(sink: &MemorySink<Event>, path: &str) -> Position {
    let mut positions = sink.positions().into_iter();
    positions.find(|position| position.split.path() == path).unwrap()
}

fn mark(position: &Position) -> &str {
    position.mark.as_json().unwrap()
}

/// Creates a file that ends in the middle of a record, and reads its complete records.
async fn read_unfinished(dir: &TempDir, sink: &MemorySink<Event>, name: &str, users: std::ops::Range<u32>) {
    let records = users.len() as u64;
    let torn = format!("{}2026-11-01T12", file(users));
    let path = dir.path().join(name);
    fs::write(&path, torn).unwrap();
    let pipeline = source(dir)
        .settle_for(Duration::from_secs(600))
        .validate(Rules::default());
    let running = run_in_background(pipeline.to(sink.clone()));
    // When a writer closes the file, its complete records are read.
    let touch = || drop(fs::OpenOptions::new().append(true).open(&path).unwrap());
    eventually("the whole records", || {
        touch();
        sink.positions()
            .iter()
            .any(|position| position.split.path() == name && position.record == records)
    })
    .await;
    running.stop().await;
    assert_eq!(position(sink, name).state, SplitState::Open);
}

const REST: &str = ":00:00Z,view,99,s,p\n";

#[tokio::test]
async fn a_renamed_unfinished_file_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("test");
    read_unfinished(&dir, &sink, "a.csv", 0..3).await;
    fs::rename(dir.path().join("a.csv"), dir.path().join("b.csv")).unwrap();
    append(&dir.path().join("b.csv"), REST);
    let summary = once(source(&dir), &sink).await;
    assert_eq!(users(&sink), [0, 1, 2, 99]);
    assert_eq!(summary.counts.read, 1);
    let (before, now) = (position(&sink, "a.csv"), position(&sink, "b.csv"));
    assert_eq!((&before.state, before.record), (&SplitState::Finished, 3));
    assert!(mark(&before).contains(r#""renamed_to":"b.csv""#), "{before:?}");
    assert_eq!((&now.state, now.record), (&SplitState::Finished, 4));
    assert_eq!(once(source(&dir), &sink).await.counts.read, 0);
}

#[tokio::test]
async fn a_file_that_grows_and_gets_its_former_name_back_is_read_on() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("test");
    let (first, second) = (dir.path().join("a.csv"), dir.path().join("b.csv"));
    read_unfinished(&dir, &sink, "a.csv", 0..3).await;
    fs::rename(&first, &second).unwrap();
    append(&second, REST);
    once(source(&dir), &sink).await;
    append(&second, "2026-11-01T12:00:00Z,view,100,s,p\n");
    fs::rename(&second, &first).unwrap();
    let summary = once(source(&dir), &sink).await;
    assert_eq!(users(&sink), [0, 1, 2, 99, 100]);
    assert_eq!(summary.counts.read, 1);
    let (before, now) = (position(&sink, "b.csv"), position(&sink, "a.csv"));
    assert!(mark(&before).contains(r#""renamed_to":"a.csv""#), "{before:?}");
    assert_eq!((now.split.generation(), now.record), (1, 5));
    assert_eq!(once(source(&dir), &sink).await.counts.read, 0);
}

#[tokio::test]
async fn a_copy_of_an_unfinished_file_goes_on_as_itself_when_that_file_is_renamed() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("test");
    let path = |name: &str| dir.path().join(name);
    read_unfinished(&dir, &sink, "a.csv", 0..3).await;
    // The copy has been read up to the second record when the other file is renamed.
    read_unfinished(&dir, &sink, "copy.csv", 0..2).await;
    append(&path("copy.csv"), ":00:00Z,view,2,s,p\n");
    let long_ago = SystemTime::UNIX_EPOCH;
    let copy = fs::OpenOptions::new().append(true).open(path("copy.csv")).unwrap();
    copy.set_modified(long_ago).unwrap();
    fs::rename(path("a.csv"), path("b.csv")).unwrap();
    append(&path("b.csv"), REST);
    once(source(&dir), &sink).await;
    // Each file once: which of the two is a copy cannot be told.
    assert_eq!(users(&sink), [0, 0, 1, 1, 2, 2, 99]);
    let copy = position(&sink, "copy.csv");
    assert_eq!((copy.split.generation(), copy.record), (0, 3));
    assert!(mark(&position(&sink, "a.csv")).contains(r#""renamed_to":"b.csv""#));
}

#[tokio::test]
async fn a_rotated_file_is_read_to_its_end_and_the_new_one_from_its_start() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("test");
    read_unfinished(&dir, &sink, "log.csv", 0..3).await;
    fs::rename(dir.path().join("log.csv"), dir.path().join("log.1.csv")).unwrap();
    append(&dir.path().join("log.1.csv"), REST);
    put(&dir, "log.csv", &file(10..12), 0);
    once(source(&dir), &sink).await;
    assert_eq!(users(&sink), [0, 1, 2, 10, 11, 99]);
    assert_eq!(position(&sink, "log.csv").split.generation(), 1);
    assert_eq!(position(&sink, "log.1.csv").record, 4);
    assert_eq!(once(source(&dir), &sink).await.counts.read, 0);
}

#[tokio::test]
async fn a_copy_of_an_unfinished_file_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("test");
    read_unfinished(&dir, &sink, "a.csv", 0..2).await;
    put(&dir, "b.csv", &file(0..2), 0);
    append(&dir.path().join("a.csv"), REST);
    once(source(&dir), &sink).await;
    assert_eq!(users(&sink), [0, 0, 1, 1, 99]);
}

#[tokio::test]
async fn a_copy_of_a_finished_file_is_skipped_and_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("test");
    // Two files in the same scan, and one in a later run.
    put(&dir, "a.csv", &file(0..3), 1);
    put(&dir, "b.csv", &file(0..3), 0);
    assert_eq!(once(source(&dir), &sink).await.counts.read, 3);
    fs::rename(dir.path().join("b.csv"), dir.path().join("c.csv")).unwrap();
    assert_eq!(once(source(&dir), &sink).await.counts.read, 0);
    for path in ["b.csv", "c.csv"] {
        let copy = position(&sink, path);
        assert_eq!(copy.state, SplitState::Finished);
        assert!(mark(&copy).contains(r#""copy_of":"a.csv""#), "{copy:?}");
    }
    // The same size, but other bytes.
    put(&dir, "d.csv", &file(3..6), 0);
    assert_eq!(once(source(&dir), &sink).await.counts.read, 3);
    // A copy that grows is a file like any other.
    append(&dir.path().join("c.csv"), "2026-11-01T12:00:00Z,view,6,s,p\n");
    assert_eq!(once(source(&dir), &sink).await.counts.read, 1);
    assert_eq!(users(&sink), [0, 1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn copies_are_read_if_allowed_and_files_without_records_always() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("test");
    for name in ["a.csv", "b.csv"] {
        put(&dir, name, &file(0..2), 0);
    }
    assert_eq!(once(source(&dir).allow_copies(true), &sink).await.counts.read, 4);
    for name in ["empty.csv", "void.csv"] {
        put(&dir, name, "", 0);
    }
    for name in ["header.csv", "nothing.csv"] {
        put(&dir, name, HEADER, 0);
    }
    assert_eq!(once(source(&dir), &sink).await.counts.read, 0);
    assert_eq!(sink.positions().len(), 6);
    assert!(
        sink.positions()
            .iter()
            .all(|position| !mark(position).contains("copy_of"))
    );
}

#[tokio::test]
async fn committed_files_are_deleted_and_unusable_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("test");
    put(&dir, "a.csv", &file(0..3), 3);
    put(&dir, "copy.csv", &file(0..3), 2);
    put(&dir, "unusable.csv", "x;y\n1;2\n", 1);
    put(&dir, "damaged.csv", &format!("{}\"2026", file(3..4)), 0);
    // A crash during the removal leaves a file with such a name.
    put(&dir, ".ecom-aside.0.b.csv", &file(4..6), 0);
    once(source(&dir).after_commit(AfterCommit::Delete), &sink).await;
    assert_eq!(users(&sink), [0, 1, 2, 3, 4, 5]);
    let entries = fs::read_dir(dir.path()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["damaged.csv", "unusable.csv"]);
}
