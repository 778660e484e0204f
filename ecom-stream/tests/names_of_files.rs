//! Which files of a directory are read: `.csv` and `.tsv`, and names that are asked for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::fs;
use std::path::Path;
use std::time::Duration;

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use ecom_stream::infer::infer_mapping;
use ecom_stream::memory::MemorySink;
use ecom_stream::{AfterCommit, CsvDirSource, Dialect, Event, NamePatterns, Rules, SourceExt};
use fixture::{HEADER, append, eventually, run_in_background};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

fn text(user: &str) -> String {
    format!("{HEADER}2026-11-01T12:00:00Z,view,{user},s,p\n")
}

fn tabs(user: &str) -> String {
    text(user).replace(',', "\t")
}

fn source(dir: &TempDir) -> CsvDirSource {
    let names = NamePatterns::new(["*.txt", "orders_*"]).unwrap();
    CsvDirSource::new(dir.path()).names(names).settle_for(Duration::ZERO)
}

async fn once(source: CsvDirSource, sink: &MemorySink<Event>) {
    let pipeline = source.available_now(true).validate(Rules::default()).to(sink.clone());
    assert!(pipeline.run().await.unwrap().counts.is_balanced());
}

/// The users of the stored events, sorted.
fn users(sink: &MemorySink<Event>) -> Vec<String> {
    let mut users: Vec<String> = sink.values().into_iter().map(|event| event.user_id).collect();
    users.sort();
    users
}

/// The paths below a directory, sorted.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        match entry.path().is_dir() {
            true => found.extend(files(&entry.path()).into_iter().map(|file| format!("{name}/{file}"))),
            false => found.push(name),
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn files_with_names_that_are_asked_for_are_read_and_others_are_not_touched() {
    let (dir, done) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let put = |name: &str, text: &[u8]| fs::write(dir.path().join(name), text).unwrap();
    fs::create_dir(dir.path().join("north")).unwrap();
    let mut gzip = GzipEncoder::new(Vec::new());
    gzip.write_all(text("gzip").as_bytes()).await.unwrap();
    gzip.shutdown().await.unwrap();
    let mut zstd = ZstdEncoder::new(Vec::new());
    zstd.write_all(tabs("zstd").as_bytes()).await.unwrap();
    zstd.shutdown().await.unwrap();
    put("a.TXT", text("txt").as_bytes());
    put("b.txt.gz", &gzip.into_inner());
    put("c.tsv.zst", &zstd.into_inner());
    put("d.csv", text("csv").as_bytes());
    put("orders_1", text("orders").as_bytes());
    put("north/e.txt", text("north").as_bytes());
    put("f.tsv", tabs("tsv").as_bytes());
    let others = ["g.txt.bak", "h.dat", "notes.md", "i.txt.tmp", ".j.txt"];
    for name in others {
        put(name, text("other").as_bytes());
    }
    // The archive has files of these names.
    fs::write(done.path().join("a.TXT"), "before").unwrap();
    fs::write(done.path().join("orders_1"), "before").unwrap();

    let sink = MemorySink::new("events");
    let all = source(&dir)
        .recursive(true)
        .after_commit(AfterCommit::Archive(done.path().into()));
    once(all, &sink).await;
    assert_eq!(users(&sink), ["csv", "gzip", "north", "orders", "tsv", "txt", "zstd"]);
    assert_eq!(sink.rejects().len(), 0);
    let mut left = others.map(str::to_owned).to_vec();
    left.sort();
    assert_eq!(files(dir.path()), left);
    let archived = [
        "a.1.TXT",
        "a.TXT",
        "b.txt.gz",
        "c.tsv.zst",
        "d.csv",
        "f.tsv",
        "north/e.txt",
        "orders_1",
        "orders_1.1",
    ];
    assert_eq!(files(done.path()), archived);
}

#[tokio::test]
async fn without_patterns_other_names_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("a.txt", text("txt")), ("b.csv", text("csv")), ("c.TSV", tabs("tsv"))] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let sink = MemorySink::new("events");
    once(CsvDirSource::new(dir.path()), &sink).await;
    assert_eq!(users(&sink), ["csv", "tsv"]);
    // The ledger knows them: a run with patterns reads only what is new.
    once(source(&dir), &sink).await;
    assert_eq!(users(&sink), ["csv", "tsv", "txt"]);
}

#[tokio::test]
async fn a_file_with_a_name_that_is_asked_for_is_noticed_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("events");
    // No scan but the first: files are found by their notifications.
    let source = source(&dir).rescan_every(Duration::from_secs(1_000));
    let running = run_in_background(source.validate(Rules::default()).to(sink.clone()));
    fs::write(dir.path().join("first.csv"), text("first")).unwrap();
    eventually("the first file", || users(&sink).len() == 1).await;
    fs::write(dir.path().join("a.dat"), text("dat")).unwrap();
    fs::rename(dir.path().join("a.dat"), dir.path().join("a.txt")).unwrap();
    eventually("the renamed file", || users(&sink).len() == 2).await;
    append(&dir.path().join("a.txt"), "2026-11-01T12:00:01Z,view,more,s,p\n");
    eventually("the grown file", || users(&sink).len() == 3).await;
    assert_eq!(running.stop().await.counts.rejected, 0);
}

#[tokio::test]
async fn tabs_are_the_delimiter_of_tsv_files_unless_another_is_given() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.tsv"), text("commas")).unwrap();
    fs::write(dir.path().join("b.csv"), tabs("tabs")).unwrap();
    let sink = MemorySink::new("events");
    once(CsvDirSource::new(dir.path()), &sink).await;
    assert_eq!(users(&sink), Vec::<String>::new());
    // What was set aside is looked at again by another dialect.
    once(
        CsvDirSource::new(dir.path()).dialect(Dialect::default().delimiter(b',')),
        &sink,
    )
    .await;
    assert_eq!(users(&sink), ["commas"]);
    let proposal = infer_mapping(dir.path().join("a.tsv")).await.unwrap();
    assert!(proposal.toml.contains("delimiter = \",\"\n"), "{}", proposal.toml);
    // With the right name it is read.
    fs::rename(dir.path().join("b.csv"), dir.path().join("b.tsv")).unwrap();
    once(CsvDirSource::new(dir.path()), &sink).await;
    assert_eq!(users(&sink), ["commas", "tabs"]);
}

#[tokio::test]
async fn a_file_that_is_renamed_to_tsv_is_read_on_as_it_began() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("events");
    for (from, to, before, after) in [
        (
            "a.csv",
            "a.tsv",
            text("a1"),
            "2026-11-01T12:00:01Z,view,a2,s,p\n".to_owned(),
        ),
        (
            "b.tsv",
            "b.csv",
            tabs("b1"),
            "2026-11-01T12:00:01Z\tview\tb2\ts\tp\n".to_owned(),
        ),
    ] {
        let (from, to) = (dir.path().join(from), dir.path().join(to));
        // A last record without a line end leaves the file open.
        fs::write(&from, before + &after[..20]).unwrap();
        let pipeline = source(&dir)
            .available_now(true)
            .validate(Rules::default())
            .to(sink.clone());
        pipeline.run().await.unwrap_err();
        fs::rename(&from, &to).unwrap();
        append(&to, &after[20..]);
        once(source(&dir), &sink).await;
        append(&to, after.replace("2,s", "3,s").replace("2\ts", "3\ts"));
    }
    once(source(&dir), &sink).await;
    assert_eq!(users(&sink), ["a1", "a2", "a3", "b1", "b2", "b3"]);
    assert_eq!(sink.rejects().len(), 0);
}
