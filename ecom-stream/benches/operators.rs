//! Measures how many records per second each operator processes on one core, and how many a plain loop over a `Vec` that
//! computes the same (`NAME/loop`). Unlike the loop, the operator works on batches, follows the watermark, and writes the state
//! entries that changed.
//!
//! ```text
//! cargo bench -p ecom-stream
//! ```

#![allow(missing_docs, reason = "criterion's macros make functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use ecom_stream::aggregate::{
    Aggregate, ApproxDistinct, Collect, Count, First, Last, Max, Mean, Min, Sum, TopK, Variance,
};
use ecom_stream::bytes::Bytes;
use ecom_stream::operators::{
    Deduplicate, EventTime, FlatMap, IntervalJoin, Map, Route, Scan, WindowAggregate, Windows,
};
use ecom_stream::{Batch, Checkpoint, Either, EmptyLedger, Origin, Record, Split, Timed, Timestamp, Transform, time};
use futures::executor::block_on;
use futures::{StreamExt, stream};

const RECORDS: usize = 1 << 20;
const ROWS: usize = 1_024;
const KEYS: u64 = 10_000;
/// The time between two records: some hundred thousand records make a minute.
const MICROS_APART: i64 = 300;

#[derive(Debug, Clone, Copy)]
struct Click {
    time: Timestamp,
    key: u64,
    amount: i64,
}

fn clicks(keys: u64) -> Vec<Click> {
    let mut rng = fastrand::Rng::with_seed(7);
    let click = |at: usize| Click {
        // Records are out of order by up to five seconds.
        time: Timestamp::from_micros(at as i64 * MICROS_APART + rng.i64(0..5_000_000)),
        key: rng.u64(0..keys),
        amount: rng.i64(1..10_000),
    };
    (0..RECORDS).map(click).collect()
}

/// The values in batches, as a source would send them.
fn batches<T: Clone>(values: &[T]) -> Vec<Batch<T>> {
    let split = Split::new("bench", "clicks");
    let origin = |at: usize| Origin::new(split.clone(), at as u64 + 1, at as u64, Bytes::new());
    let mut at = 0..;
    let record = |value: &T| Record::new(value.clone(), at.next().map(origin));
    let mut record = record;
    let batch = |values: &[T]| Batch::new(values.iter().map(&mut record).collect());
    values.chunks(ROWS).map(batch).collect()
}

fn timed(clicks: &[Click]) -> Vec<Timed<Click>> {
    let watermark = |click: &Click| click.time - Duration::from_secs(5);
    let mut highest = Timestamp::MIN;
    let timed = |click: &Click| {
        highest = highest.max(watermark(click));
        Timed::new(*click, click.time, highest)
    };
    clicks.iter().map(timed).collect()
}

/// Runs all batches through the transform. Returns the number of records and of state changes that come out.
fn drain<T: Send + 'static, Tr: Transform<T>>(transform: Tr, batches: Vec<Batch<T>>) -> (usize, usize) {
    let checkpoint: Checkpoint = Arc::new(EmptyLedger::new("bench"));
    let out = transform.apply(stream::iter(batches).map(Ok), checkpoint);
    block_on(out.fold((0, 0), async |(records, changes), batch| {
        let batch = batch.unwrap();
        (records + batch.records.len(), changes + batch.state.len())
    }))
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn operator<T, Tr>(group: &mut Group<'_>, name: &str, input: &[Batch<T>], make: impl Fn() -> Tr)
where
    T: Clone + Send + 'static,
    Tr: Transform<T>,
{
    group.bench_function(name, |bench| {
        bench.iter_batched(
            || input.to_vec(),
            |input| black_box(drain(make(), input)),
            BatchSize::PerIteration,
        );
    });
}

fn loop_over<T, R>(group: &mut Group<'_>, name: &str, values: &[T], f: impl Fn(&[T]) -> R) {
    group.bench_function(format!("{name}/loop"), |bench| bench.iter(|| black_box(f(values))));
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> Group<'a> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_millis(1_500));
    group
}

fn minute(click: &Click) -> i64 {
    click.time.as_micros().div_euclid(60_000_000)
}

fn count_by_minute(clicks: &[Click]) -> usize {
    let mut counts: HashMap<(i64, u64), u64> = HashMap::new();
    for click in clicks {
        *counts.entry((minute(click), click.key)).or_default() += 1;
    }
    counts.len()
}

fn one_by_one(criterion: &mut Criterion) {
    let clicks = clicks(KEYS);
    let input = batches(&clicks);
    let mut group = group(criterion, "one by one");
    operator(&mut group, "map", &input, || Map::new(|click: Click| click.amount * 2));
    loop_over(&mut group, "map", &clicks, |clicks| {
        clicks.iter().map(|click| click.amount * 2).collect::<Vec<_>>()
    });
    operator(&mut group, "flat_map", &input, || {
        FlatMap::new(|click: Click| [click.amount, click.amount + 1])
    });
    loop_over(&mut group, "flat_map", &clicks, |clicks| {
        clicks
            .iter()
            .flat_map(|click| [click.amount, click.amount + 1])
            .collect::<Vec<_>>()
    });
    operator(&mut group, "route", &input, || {
        Route::new(|click: &Click| click.amount > 5_000)
    });
    loop_over(&mut group, "route", &clicks, |clicks| {
        clicks
            .iter()
            .copied()
            .partition::<Vec<Click>, _>(|click| click.amount > 5_000)
    });
    operator(&mut group, "event_time", &input, || {
        EventTime::new(|click: &Click| click.time, Duration::from_secs(5))
    });
    loop_over(&mut group, "event_time", &clicks, |clicks| {
        let mut newest = Timestamp::MIN;
        let watermark = |click: &Click| {
            newest = newest.max(click.time);
            (*click, newest - Duration::from_secs(5))
        };
        clicks.iter().map(watermark).collect::<Vec<_>>()
    });
}

fn windows(criterion: &mut Criterion) {
    let clicks = clicks(KEYS);
    let input = batches(&timed(&clicks));
    let mut group = group(criterion, "windows");
    let counts = |windows| move || WindowAggregate::new(windows, |click: &Click| click.key, Count);
    let minute = Duration::from_mins(1);
    operator(
        &mut group,
        "tumbling count by key",
        &input,
        counts(Windows::tumbling(minute)),
    );
    loop_over(&mut group, "tumbling count by key", &clicks, count_by_minute);
    let text = |click: &Click| format!("p{:08}", click.key);
    operator(&mut group, "tumbling count by text", &input, || {
        WindowAggregate::new(Windows::tumbling(minute), text, Count)
    });
    loop_over(&mut group, "tumbling count by text", &clicks, |clicks| {
        let mut counts: HashMap<(i64, String), u64> = HashMap::new();
        for click in clicks {
            *counts.entry((self::minute(click), text(click))).or_default() += 1;
        }
        counts.len()
    });
    let hopping = Windows::hopping(minute, Duration::from_secs(10));
    operator(&mut group, "hopping count by key", &input, counts(hopping));
    loop_over(&mut group, "hopping count by key", &clicks, |clicks| {
        let mut counts: HashMap<(i64, u64), u64> = HashMap::new();
        for click in clicks {
            let last = click.time.as_micros().div_euclid(10_000_000);
            for start in last - 5..=last {
                *counts.entry((start, click.key)).or_default() += 1;
            }
        }
        counts.len()
    });
    operator(
        &mut group,
        "session count by key",
        &input,
        counts(Windows::session(Duration::from_secs(10))),
    );
    loop_over(&mut group, "session count by key", &clicks, |clicks| {
        let mut by_key: HashMap<u64, Vec<i64>> = HashMap::new();
        for click in clicks {
            by_key.entry(click.key).or_default().push(click.time.as_micros());
        }
        let sessions = by_key.values_mut().map(|times| {
            times.sort_unstable();
            times.chunk_by(|a, b| b - a < 10_000_000).count()
        });
        sessions.sum::<usize>()
    });
}

fn aggregates(criterion: &mut Criterion) {
    let clicks = clicks(KEYS);
    let mut group = group(criterion, "aggregates");
    fn add<A: Aggregate<Click>>(group: &mut Group<'_>, name: &str, clicks: &[Click], aggregate: A) {
        loop_over(group, name, clicks, |clicks| {
            let mut acc = aggregate.empty();
            for click in clicks {
                aggregate.add(&mut acc, black_box(click), click.time);
            }
            aggregate.result(&acc)
        });
    }
    let amount = |click: &Click| click.amount;
    let float = |click: &Click| click.amount as f64;
    add(&mut group, "count", &clicks, Count);
    add(&mut group, "sum", &clicks, Sum::of(amount));
    add(&mut group, "min", &clicks, Min::of(amount));
    add(&mut group, "max", &clicks, Max::of(amount));
    add(&mut group, "mean", &clicks, Mean::of(float));
    add(&mut group, "variance", &clicks, Variance::of(float));
    add(&mut group, "first", &clicks, First::of(amount));
    add(&mut group, "last", &clicks, Last::of(amount));
    add(&mut group, "top_k", &clicks, TopK::of(10, amount));
    add(&mut group, "collect", &clicks, Collect::of(amount));
    add(
        &mut group,
        "approx_distinct",
        &clicks,
        ApproxDistinct::of(|click: &Click| click.key),
    );
}

fn by_key(criterion: &mut Criterion) {
    let clicks = clicks(KEYS);
    let input = batches(&timed(&clicks));
    let mut group = group(criterion, "by key");
    let hour = Duration::from_hours(1);
    operator(&mut group, "scan", &input, || {
        let add = |sum: &mut i64, click: Click| {
            *sum += click.amount;
            Some(*sum)
        };
        Scan::new(|click: &Click| click.key, hour, || 0, add)
    });
    loop_over(&mut group, "scan", &clicks, |clicks| {
        let mut sums: HashMap<u64, i64> = HashMap::new();
        let sum = |click: &Click| {
            let sum = sums.entry(click.key).or_default();
            *sum += click.amount;
            *sum
        };
        clicks.iter().map(sum).collect::<Vec<_>>()
    });
    operator(&mut group, "deduplicate", &input, || {
        Deduplicate::new(|click: &Click| click.key, hour)
    });
    loop_over(&mut group, "deduplicate", &clicks, |clicks| {
        let mut seen = HashSet::new();
        clicks
            .iter()
            .copied()
            .filter(|click| seen.insert(click.key))
            .collect::<Vec<_>>()
    });
    type Side = (u64, i64);
    let side = |timed: Timed<Click>| {
        let sided = |click: Click| match click.amount % 4 {
            0 => Either::Right((click.key, click.amount)),
            _ => Either::Left((click.key, click.amount)),
        };
        timed.map(sided)
    };
    let sides: Vec<Timed<Either<Side, Side>>> = timed(&clicks).into_iter().map(side).collect();
    let second = time::Duration::SECOND;
    operator(&mut group, "interval join", &batches(&sides), || {
        IntervalJoin::new(
            |left: &Side| left.0,
            |right: &Side| right.0,
            time::Duration::ZERO,
            second * 5,
        )
    });
    loop_over(&mut group, "interval join", &clicks, |clicks| {
        let mut lefts: HashMap<u64, BTreeMap<(i64, usize), i64>> = HashMap::new();
        for (at, click) in clicks.iter().enumerate().filter(|(_, click)| click.amount % 4 != 0) {
            lefts
                .entry(click.key)
                .or_default()
                .insert((click.time.as_micros(), at), click.amount);
        }
        let mut pairs = Vec::new();
        for click in clicks.iter().filter(|click| click.amount % 4 == 0) {
            let time = click.time.as_micros();
            let near = lefts
                .get(&click.key)
                .into_iter()
                .flat_map(|lefts| lefts.range((time - 5_000_000, 0)..=(time, usize::MAX)));
            pairs.extend(near.map(|(_, amount)| (*amount, click.amount)));
        }
        pairs
    });
}

/// A million keys with about one record each, so that the cost is that of the keys.
fn many_keys(criterion: &mut Criterion) {
    let clicks = clicks(1_000_000);
    let input = batches(&timed(&clicks));
    let mut group = group(criterion, "a million keys");
    operator(&mut group, "tumbling count by key", &input, || {
        WindowAggregate::new(
            Windows::tumbling(Duration::from_hours(1)),
            |click: &Click| click.key,
            Count,
        )
    });
    loop_over(&mut group, "tumbling count by key", &clicks, |clicks| {
        let mut counts: HashMap<u64, u64> = HashMap::new();
        for click in clicks {
            *counts.entry(click.key).or_default() += 1;
        }
        counts.len()
    });
}

criterion_group!(benches, one_by_one, windows, aggregates, by_key, many_keys);
criterion_main!(benches);
