//! Measures how fast events are generated: into files as the program does, on one core and on several. A plain writer
//! of the same bytes is the upper limit for any generator of files.
//!
//! ```text
//! cargo bench -p ecom-gen
//! ```

#![allow(missing_docs, reason = "criterion's macros make functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ecom_gen::{FilesSink, Pace, Rate, RollingPolicy, Shop, ShopBuilder, ShopFiles};
use ecom_stream::SourceExt;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use time::macros::datetime;
use tokio::runtime::Runtime;

const EVENTS: u64 = 1_000_000;

/// A part of a week of ten million events.
fn shop() -> ShopBuilder {
    Shop::builder(7, datetime!(2026-11-01 12:00 UTC)).rate(Rate::per_second(16.5).unwrap())
}

/// Writes the events as the program does, and returns the number of rows.
fn write(runtime: &Runtime, dir: &Path, workers: usize, manifest: bool) -> u64 {
    let files = ShopFiles::new(shop())
        .pace(Pace::AsFastAsPossible)
        .events(EVENTS)
        .rolling(RollingPolicy::default().every(None).max_rows(100_000))
        .workers(workers)
        .manifest(manifest);
    let _ = fs::remove_dir_all(dir);
    let summary = runtime.block_on(files.to(FilesSink::new(dir)).run()).unwrap();
    summary.counts.stored
}

/// Binds the threads that are started from now on to at most this many of the cores.
fn use_cores(all: &CpuSet, most: usize) {
    let mut some = CpuSet::new();
    (0..CpuSet::MAX_CPU)
        .filter(|cpu| all.is_set(*cpu))
        .take(most)
        .for_each(|cpu| some.set(cpu));
    sched_setaffinity(None, &some).unwrap();
}

fn into_files(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut group = criterion.benchmark_group("into files");
    group.sample_size(10).measurement_time(Duration::from_secs(15));
    group.throughput(Throughput::Elements(EVENTS));
    let all = sched_getaffinity(None).unwrap();
    for (name, cores, workers, manifest) in [
        ("one core", 1, 1, false),
        ("one core, with a manifest", 1, 1, true),
        ("all cores", usize::MAX, all.count() as usize, false),
    ] {
        use_cores(&all, cores);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter(|| write(&runtime, &data, workers, manifest))
        });
        drop(runtime);
        use_cores(&all, usize::MAX);
    }
    let runtime = Runtime::new().unwrap();
    write(&runtime, &data, 1, false);
    plain_writer(&mut group, &all, &data, &dir.path().join("copy"));
    group.finish();
}

/// Writes the content of the files in `data`, line by line through a buffer.
fn plain_writer(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    all: &CpuSet,
    data: &Path,
    to: &Path,
) {
    let mut paths: Vec<PathBuf> = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    paths.sort();
    let texts: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    fs::create_dir_all(to).unwrap();
    use_cores(all, 1);
    group.bench_function("a plain writer of the same bytes, one core", |bencher| {
        bencher.iter(|| {
            for (at, text) in texts.iter().enumerate() {
                let mut writer = BufWriter::new(File::create(to.join(at.to_string())).unwrap());
                for line in text.split_inclusive(|byte| *byte == b'\n') {
                    writer.write_all(line).unwrap();
                }
                writer.flush().unwrap();
            }
        });
    });
    use_cores(all, usize::MAX);
}

fn as_events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("as events");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.throughput(Throughput::Elements(EVENTS));
    group.bench_function("the iterator", |bencher| {
        bencher.iter(|| {
            shop()
                .build()
                .take(EVENTS as usize)
                .for_each(|event| drop(black_box(event)))
        });
    });
    group.finish();
}

criterion_group!(benches, into_files, as_events);
criterion_main!(benches);
