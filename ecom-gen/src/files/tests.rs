//! The files of a shop: reproducible, resumable, on time, and never overwritten.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use ecom_stream::memory::MemorySink;
use ecom_stream::{Batch, ErrorKind, SourceExt, Summary, TimeFormat};
use tempfile::tempdir;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::time::Instant;

use super::*;
use crate::rate::Rate;
use crate::shop::{Shop, ShopBuilder};
use crate::source::Pace;

const START: OffsetDateTime = datetime!(2026-11-01 12:00 UTC);

fn shop() -> ShopBuilder {
    // A low rate, so that the shop opens quickly.
    Shop::builder(5, START)
        .products(200)
        .rate(Rate::per_second(10.0).unwrap())
}

fn policy() -> RollingPolicy {
    RollingPolicy::default().every(Duration::from_secs(10)..=Duration::from_secs(30))
}

fn fast(events: u64) -> ShopFiles {
    ShopFiles::new(shop())
        .rolling(policy())
        .pace(Pace::AsFastAsPossible)
        .events(events)
}

async fn write(files: ShopFiles, dir: &Path) -> Summary {
    files.to(FilesSink::new(dir)).run().await.unwrap()
}

/// The visible files of the directory.
fn files(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let named = entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path));
    named
        .filter(|(name, _)| !name.starts_with('.'))
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap()))
        .collect()
}

#[tokio::test]
async fn workers_part_size_and_end_change_no_byte() {
    let policy = policy().max_rows(450);
    let whole = tempdir().unwrap();
    let summary = write(fast(6_000).rolling(policy.clone()), whole.path()).await;
    let whole = files(whole.path());
    let rows: usize = whole.values().map(|text| text.lines().count() - 1).sum();
    assert_eq!(summary.counts.stored, rows as u64);
    assert!(
        rows > 6_000 && whole.len() >= 14,
        "{rows} rows in {} files",
        whole.len()
    );
    assert_eq!(whole.keys().next().unwrap(), "events-000001.csv");

    for (workers, part_bytes) in [(4, 256 << 10), (1, 1), (3, 10_000)] {
        let dir = tempdir().unwrap();
        let files_of = fast(6_000)
            .rolling(policy.clone())
            .workers(workers)
            .part_bytes(part_bytes);
        write(files_of, dir.path()).await;
        assert!(files(dir.path()) == whole, "{workers} workers, {part_bytes}");
    }
    let by_time = whole.values().filter(|text| text.lines().count() < 451).count();
    assert!((3..whole.len()).contains(&by_time), "{by_time}");

    let dir = tempdir().unwrap();
    let until = START + Duration::from_secs(60);
    write(fast(6_000).rolling(policy).until(until), dir.path()).await;
    let cut = files(dir.path());
    assert!((2..7).contains(&cut.len()));
    let last = cut.values().last().unwrap().lines().last().unwrap();
    assert!(last.contains("2026-11-01T12:00:5"), "{last}");
}

#[tokio::test]
async fn a_run_resumes_after_the_last_whole_file() {
    let policy = policy().max_rows(150);
    let whole = tempdir().unwrap();
    write(fast(1_500).rolling(policy.clone()), whole.path()).await;
    let dir = tempdir().unwrap();
    for commits in [0, 1, 2, 5, 1, 100] {
        let mut seen = 0;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let pipeline = fast(1_500).rolling(policy.clone()).to(FilesSink::new(dir.path()));
        let mut progress = pipeline.subscribe();
        let watched = tokio::spawn(async move {
            let _stop = stop;
            while seen < commits && progress.next().await.is_some() {
                seen += 1;
            }
        });
        let stopped = async {
            let _ = stopped.await;
        };
        pipeline.run_until(stopped).await.unwrap();
        watched.abort();
    }
    assert!(files(dir.path()) == files(whole.path()));
    // Nothing is left to write.
    assert_eq!(write(fast(1_500).rolling(policy), dir.path()).await.counts.stored, 0);
}

#[tokio::test]
async fn an_existing_file_is_compared() {
    let dir = tempdir().unwrap();
    write(fast(500), dir.path()).await;
    let whole = files(dir.path());
    // As after a crash before the first commit, when a reader has removed one of the files.
    fs::remove_file(dir.path().join(".events.position.json")).unwrap();
    fs::remove_file(dir.path().join("events-000001.csv")).unwrap();
    write(fast(500), dir.path()).await;
    assert!(files(dir.path()) == whole);

    fs::remove_file(dir.path().join(".events.position.json")).unwrap();
    let other = ShopFiles::new(shop().products(201)).pace(Pace::AsFastAsPossible);
    let err = other
        .events(500)
        .to(FilesSink::new(dir.path()))
        .run()
        .await
        .unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Sink);
    assert!(err.report().contains("events-000001.csv already exists"), "{err}");
    assert!(files(dir.path()) == whole);
}

#[tokio::test]
async fn another_policy_or_a_second_run_is_refused() {
    let dir = tempdir().unwrap();
    write(fast(500), dir.path()).await;
    let other = fast(500).rolling(RollingPolicy::default().max_rows(10));
    let err = other.to(FilesSink::new(dir.path())).run().await.unwrap_err();
    assert!(err.report().contains("was another shop"), "{}", err.report());

    let live = ShopFiles::new(shop()).clock(|| START);
    let running = tokio::spawn(live.to(FilesSink::new(dir.path()).prefix("live")).run());
    while !dir.path().join(".live.position.json").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let err = fast(10)
        .to(FilesSink::new(dir.path()).prefix("live"))
        .run()
        .await
        .unwrap_err();
    assert!(
        err.report().contains("another run is writing the files live-*.csv"),
        "{}",
        err.report()
    );
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn live_files_end_on_time_without_further_rows() {
    let began = Instant::now();
    let clock = move || START + began.elapsed();
    let second = Duration::from_secs(1);
    let shop = shop().rate(Rate::per_second(0.02).unwrap());
    let files_of = ShopFiles::new(shop).rolling(RollingPolicy::default().every(second..=second));
    let files_of = files_of.until(START + Duration::from_secs(1_800));
    let live = files_of.clone().clock(clock).inspect(move |batch: &Batch<FilePart>| {
        for record in &batch.records {
            let text = std::str::from_utf8(&record.value.bytes).unwrap();
            let times = text.lines().skip(1).map(|row| row.split(',').nth(1).unwrap());
            let first = times.map(|time| TimeFormat::Rfc3339.parse(time).unwrap()).min();
            let after = clock() - first.unwrap();
            let on_time = time::Duration::milliseconds(1_000)..time::Duration::milliseconds(1_250);
            assert!(on_time.contains(&after), "{after}");
        }
    });
    let sink = MemorySink::new("test");
    live.to(sink.clone()).run().await.unwrap();
    let live: Vec<u8> = sink.values().iter().flat_map(|part| part.bytes.to_vec()).collect();
    assert!(sink.values().len() > 10);

    let dir = tempdir().unwrap();
    write(files_of.pace(Pace::AsFastAsPossible), dir.path()).await;
    let fast: Vec<u8> = files(dir.path()).into_values().flat_map(String::into_bytes).collect();
    assert!(live == fast);
}
