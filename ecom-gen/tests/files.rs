//! The same shop gives the same files and the same manifest, byte for byte, however the run is interrupted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::task::Poll;
use std::time::Duration;

use ecom_gen::{Delivery, Dirt, FaultKind, FilesSink, Manifest, Pace, Rate, RollingPolicy, Shop, ShopFiles};
use ecom_stream::{SourceExt, Summary};
use proptest::prelude::*;
use tempfile::tempdir;
use time::macros::datetime;
use tokio::runtime::Builder;

/// All kinds of faults in two dozen files.
fn dirty() -> ShopFiles {
    let share = |of_rows: bool| if of_rows { 0.01 } else { 0.09 };
    let kinds = FaultKind::OF_ROWS.map(|kind| (kind, share(true)));
    let kinds = kinds
        .into_iter()
        .chain(FaultKind::OF_FILES.map(|kind| (kind, share(false))));
    let dirt: BTreeMap<_, _> = kinds.collect();
    let dirt: Dirt = serde_json::from_value(serde_json::to_value(dirt).unwrap()).unwrap();
    let mut delivery = Delivery::exact();
    (delivery.duplicate, delivery.altered, delivery.out_of_order) = (0.1, 0.1, 0.1);
    let shop = Shop::builder(8, datetime!(2026-11-01 12:00 UTC))
        .products(100)
        .delivery(delivery);
    let shop = shop.rate(Rate::per_second(2.0).unwrap());
    let policy = RollingPolicy::default()
        .every(Duration::from_secs(5)..=Duration::from_secs(20))
        .max_rows(35);
    let files = ShopFiles::new(shop)
        .rolling(policy)
        .dirt(dirt)
        .manifest(true)
        .pace(Pace::AsFastAsPossible);
    files.events(500)
}

/// The visible files of the directory.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let named = entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path));
    let seen = named.filter(|(name, _)| !name.starts_with('.'));
    seen.map(|(name, path)| (name, fs::read(path).unwrap())).collect()
}

async fn write(dir: &Path, files: ShopFiles) -> Summary {
    files.to(FilesSink::new(dir)).run().await.unwrap()
}

/// Polls the future at most this many times, then drops it.
async fn for_polls<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), polls);
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn workers_and_part_size_change_nothing() {
    let one = tempdir().unwrap();
    write(one.path(), dirty()).await;
    let one = files(one.path());
    assert!(one.len() > 20, "{}", one.len());
    for (workers, part_bytes) in [(4, 1_024), (2, 5_000)] {
        let other = tempdir().unwrap();
        write(other.path(), dirty().workers(workers).part_bytes(part_bytes)).await;
        assert!(files(other.path()) == one, "{workers} workers");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn interruptions_change_nothing(
        cuts in proptest::collection::vec((0_usize..60, 1_usize..4, any::<bool>()), 1..6),
        events in 1_u64..500,
    ) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let whole = tempdir().unwrap();
            write(whole.path(), dirty()).await;
            let dir = tempdir().unwrap();
            for (polls, workers, stops) in cuts {
                let pipeline = dirty().workers(workers).to(FilesSink::new(dir.path()));
                if stops {
                    let after = Duration::from_millis(20 * polls as u64);
                    pipeline.run_until(tokio::time::sleep(after)).await.unwrap();
                } else {
                    for_polls(pipeline.run(), polls).await;
                }
            }
            write(dir.path(), dirty()).await;
            assert!(files(dir.path()) == files(whole.path()));

            // A run that has ended continues with a greater number of events. No file is lost, although the last one is
            // short.
            let longer = tempdir().unwrap();
            let first = write(longer.path(), dirty().events(events)).await.counts.stored;
            let second = write(longer.path(), dirty()).await.counts.stored;
            let manifest = Manifest::read(longer.path().join("events.manifest.jsonl")).unwrap();
            let rows = manifest.files.iter().map(|file| file.statistics.in_file.sum()).sum::<u64>();
            assert_eq!(rows, first + second);
            assert_eq!(manifest.total.unwrap().files, manifest.files.len() as u64);
        });
    }
}

/// Each crash point, and at which of its passes to crash.
const POINTS: [(&str, [u32; 3]); 6] = [
    ("files_sink.created", [1, 2, 9]),
    ("files_sink.part_written", [1, 4, 20]),
    ("files_sink.before_rename", [1, 3, 14]),
    ("files_sink.renamed", [1, 5, 16]),
    ("files_sink.manifest_written", [1, 6, 15]),
    ("files_sink.committed", [1, 7, 18]),
];

/// Runs a process that writes the files and crashes at a crash point.
fn in_a_process(dir: &Path, crash_at: &str) -> std::process::ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "writes_the_files", "--ignored", "--quiet"]);
    command.env("FILES_DIR", dir).env("ECOM_CRASH_AT", crash_at);
    command.output().unwrap().status
}

#[test]
#[ignore = "runs in a process that the next test starts and kills"]
fn writes_the_files() {
    let dir = PathBuf::from(std::env::var_os("FILES_DIR").unwrap());
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(write(&dir, dirty()));
}

#[test]
fn a_run_killed_at_every_point_resumes() {
    let whole = tempdir().unwrap();
    assert!(in_a_process(whole.path(), "").success());
    let manifest = Manifest::read(whole.path().join("events.manifest.jsonl")).unwrap();
    let rewritten = manifest.files.into_iter().filter(|file| file.version == 2);
    let rewritten: Vec<String> = rewritten.map(|file| file.name).collect();
    let whole = files(whole.path());
    // One run is killed once and then completed; another is killed again and again.
    let again = tempdir().unwrap();
    for (point, passes) in POINTS {
        for pass in passes {
            let dir = tempdir().unwrap();
            for dir in [dir.path(), again.path()] {
                let status = in_a_process(dir, &format!("{point}:{pass}"));
                let is_done = dir == again.path() && status.success();
                assert!(is_done || status.signal() == Some(9), "{point}:{pass}: {status}");
            }
            for (name, text) in files(dir.path()) {
                let may_be_the_first = rewritten.contains(&name) || name.ends_with(".jsonl");
                assert!(whole[&name] == text || may_be_the_first, "{point}:{pass}: {name}");
            }
            assert!(in_a_process(dir.path(), "").success());
            assert!(files(dir.path()) == whole, "{point}:{pass}");
        }
    }
    assert!(in_a_process(again.path(), "").success());
    assert!(files(again.path()) == whole);
}

#[test]
fn every_crash_point_is_tested() {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/files")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let points = text.split("crash_point!(\"").skip(1);
        found.extend(points.map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    let mut known = POINTS.map(|(name, _)| name);
    found.sort_unstable();
    known.sort_unstable();
    assert_eq!(found, known);
}
