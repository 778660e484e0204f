//! The source and the sink of files keep their contracts.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::time::Duration;

use ecom_gen::{Delivery, Dirt, FilePart, FilesSink, Pace, Rate, RollingPolicy, Shop, ShopFiles};
use ecom_stream::memory::MemorySink;
use ecom_stream::testing::{self, Store};
use tempfile::TempDir;
use time::macros::datetime;
use tokio::time::Instant;

/// 60 events of a shop with this rate.
fn shop_files(per_second: u32) -> ShopFiles {
    let mut delivery = Delivery::exact();
    delivery.duplicate = 0.1;
    let shop = Shop::builder(5, datetime!(2026-11-01 12:00 UTC))
        .products(100)
        .delivery(delivery);
    let shop = shop.rate(Rate::per_second(per_second.into()).unwrap());
    let second = Duration::from_secs(1) / per_second;
    let policy = RollingPolicy::default().every(2 * second..=20 * second);
    let files = ShopFiles::new(shop)
        .rolling(policy)
        .dirt(dirt())
        .pace(Pace::AsFastAsPossible);
    files.events(60).part_bytes(1_024).manifest(true)
}

fn dirt() -> Dirt {
    let mut dirt = Dirt::heavy();
    (dirt.rewritten, dirt.empty_file, dirt.missing_column) = (0.3, 0.1, 0.1);
    dirt
}

#[tokio::test]
async fn a_source_of_files() {
    testing::source(|| shop_files(1)).most_cuts(12).check().await;
}

#[tokio::test(start_paused = true)]
async fn a_live_source_of_files() {
    let live = || {
        let opened = Instant::now();
        let start = datetime!(2026-11-01 12:00 UTC);
        shop_files(20).pace(Pace::Live).clock(move || start + opened.elapsed())
    };
    testing::source(live).most_cuts(6).check().await;
}

/// A directory, each file of which is a record.
struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Store for Directory {
    type Item = FilePart;
    type Sink = FilesSink;

    fn sink(&self) -> FilesSink {
        FilesSink::new(self.0.path())
    }

    async fn contents(&self) -> Vec<FilePart> {
        let paths = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path());
        let number = |name: &str| name.strip_prefix("events-")?.strip_suffix(".csv")?.parse::<u64>().ok();
        let parts = paths.filter_map(|path| {
            let number = number(path.file_name()?.to_str()?)?;
            Some(FilePart::whole(number, fs::read(path).unwrap(), 1))
        });
        parts.collect()
    }
}

#[tokio::test]
async fn a_sink_of_files() {
    let files = (1..=24).map(|number| FilePart::whole(number, format!("text of file {number}\n"), 1));
    testing::sink(async || Directory::new(), files)
        .crashes(20)
        .check()
        .await;
}

#[tokio::test]
async fn a_shop_into_files() {
    testing::pipeline(|| shop_files(1), async || Directory::new())
        .rounds(8)
        .check()
        .await;
    testing::pipeline(|| shop_files(1), async || MemorySink::new("test"))
        .rounds(4)
        .check()
        .await;
}
