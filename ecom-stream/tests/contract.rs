//! Every source, transform and sink of the crate passes the checks of `ecom_stream::testing`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_stream::try_stream;
use ecom_stream::aggregate::{Count, TopK};
use ecom_stream::memory::{MemorySink, MemorySource};
use ecom_stream::operators::{
    BranchSource, Deduplicate, EventTime, Filter, FlatMap, Inspect, IntervalJoin, LookupJoin, Map, ParMap, Route, Scan,
    Stamp, TryMap, Validate, WindowAggregate, Windowed, Windows, WithBranch,
};
use ecom_stream::testing::{self, Store};
use ecom_stream::{
    AfterCommit, Batch, BatchStream, Checkpoint, CsvDirSink, CsvDirSource, CsvLimits, CsvRecord, Either, Event,
    EventType, Header, Refusal, Rules, Source, SourceExt, StateChange, Timed, Timestamp, Topology, Transform,
    UnterminatedRecord,
};
use futures::{StreamExt, TryStreamExt};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

const NOON: OffsetDateTime = datetime!(2026-11-01 12:00 UTC);
const COLUMNS: [&str; 5] = ["event_time", "event_type", "user_id", "session_id", "product_id"];

fn event(n: u128) -> Event {
    let product = format!("product {n}");
    Event::new(Uuid::from_u128(n), NOON, EventType::View, "user", "session", product)
}

fn csv_records(n: u32) -> Vec<CsvRecord> {
    let header = Arc::new(Header::new(COLUMNS));
    let record = |n: u32| {
        let kind = if n % 4 == 1 { "unknown" } else { "view" };
        let fields = ["2026-11-01T12:00:00Z", kind, &n.to_string(), "s", "p"];
        CsvRecord::new(header.clone(), fields).unwrap()
    };
    (0..n).map(record).collect()
}

/// A transform with state: it turns each number into the sum of all numbers so far.
struct Sum;

impl Transform<i64> for Sum {
    type Out = i64;

    fn describe(&self, topology: &mut Topology) {
        topology.add_operator("sum");
    }

    fn apply(self, input: impl BatchStream<i64> + 'static, from: Checkpoint) -> impl BatchStream<i64> {
        try_stream! {
            let known: Option<StateChange> = from.state("sum").try_next().await?;
            let mut sum = known.and_then(|entry| entry.value).map_or(0, |bytes| i64::from_be_bytes(bytes.try_into().unwrap()));
            for await batch in input {
                let mut batch = batch?;
                for record in &mut batch.records {
                    sum += record.value;
                    record.value = sum;
                }
                if !batch.records.is_empty() {
                    batch.state.push(StateChange::new("sum", Vec::new(), 1, Some(sum.to_be_bytes().to_vec())));
                }
                yield batch;
            }
        }
    }
}

#[tokio::test]
async fn memory_source_keeps_the_contract() {
    for rows in [1, 3, 100] {
        let numbers = || MemorySource::new("numbers", (0..20).collect()).max_batch_rows(rows);
        testing::source(numbers).check().await;
    }
    testing::source(|| MemorySource::new("nothing", Vec::<u8>::new()))
        .check()
        .await;
}

#[tokio::test]
async fn merged_and_transformed_sources_keep_the_contract() {
    let numbers = |name: &str| MemorySource::new(name, (0..20).collect::<Vec<i64>>()).max_batch_rows(3);
    testing::source(|| numbers("a").merge(numbers("b"))).check().await;
    let chain = || numbers("a").filter(|n| n % 3 > 0).via(Sum).map(|n| n * 2);
    testing::source(|| chain().merge(numbers("b"))).check().await;
}

#[tokio::test]
async fn operators_without_event_time_keep_the_contract() {
    testing::transform(|| Map::new(|n: i64| n.to_string()), 0..40)
        .check()
        .await;
    testing::transform(|| Filter::new(|n: &i64| n % 3 > 0), 0..40)
        .check()
        .await;
    testing::transform(|| Filter::new(|_: &i64| false), 0..40).check().await;
    testing::transform(|| Inspect::new(|_: &Batch<i64>| ()), 0..40)
        .check()
        .await;
    let refuse = |n: i64| {
        if n % 3 == 0 {
            Err(Refusal::new("third", n.to_string()))
        } else {
            Ok(n)
        }
    };
    testing::transform(|| TryMap::new(refuse), 0..40).check().await;
    testing::transform(|| Stamp::new(|| NOON), (0..40).map(event))
        .check()
        .await;
    testing::transform(|| Validate::new(Rules::default()), csv_records(40))
        .check()
        .await;
    testing::transform(|| Sum, 0..40).check().await;
    testing::transform(|| FlatMap::new(|n: i64| (0..n % 3).map(move |at| (n, at))), 0..40)
        .not_one_to_one()
        .check()
        .await;
    testing::transform(|| FlatMap::new(|n: i64| (n % 2 == 0).then_some(n)), 0..40)
        .check()
        .await;
    testing::transform(|| ParMap::new(3, |n: i64| n * n), 0..40)
        .check()
        .await;
    testing::transform(|| Route::new(|n: &i64| n % 2 == 0), 0..40)
        .check()
        .await;
}

#[tokio::test]
async fn with_branch_keeps_the_contract() {
    let windows = |all: BranchSource<i64>| {
        all.event_time(second, Duration::from_secs(20))
            .key_by(|n: &i64| n % 3)
            .tumbling(Duration::from_secs(10))
            .aggregate(Count)
    };
    // A chain that reads batches ahead and filters records out.
    let evens = |all: BranchSource<i64>| all.par_map(3, |n| n * n).filter(|n| n % 2 == 0);
    for left in [true, false] {
        let windows = || OneSide(WithBranch::new(windows), left);
        testing::transform(windows, scattered()).not_one_to_one().check().await;
        let evens = || OneSide(WithBranch::new(evens), left);
        testing::transform(evens, 0..40).not_one_to_one().check().await;
    }
}

/// Only the left or only the right results of a transform, because how the two interleave depends on the batches.
struct OneSide<T>(T, bool);

impl<T, R> Transform<i64> for OneSide<T>
where
    T: Transform<i64, Out = Either<i64, R>>,
    R: Send + 'static,
{
    type Out = Either<i64, R>;

    fn describe(&self, topology: &mut Topology) {
        self.0.describe(topology);
    }

    fn apply(self, input: impl BatchStream<i64> + 'static, from: Checkpoint) -> impl BatchStream<Self::Out> {
        let left = self.1;
        self.0.apply(input, from).map_ok(move |mut batch| {
            batch
                .records
                .retain(|record| matches!(record.value, Either::Left(_)) == left);
            batch
        })
    }
}

fn second(second: &i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

#[tokio::test]
async fn event_time_keeps_the_contract() {
    let scattered = (0..60).map(|n| n * 7 % 60);
    let event_time = || EventTime::new(second, Duration::from_secs(20));
    testing::transform(event_time, scattered.clone()).check().await;
    testing::transform(|| event_time().by_first_of_split(true), scattered)
        .check()
        .await;
}

#[tokio::test]
async fn memory_sink_keeps_the_contract() {
    testing::sink(async || MemorySink::new("test"), 0..40).check().await;
}

/// A directory with all kinds of files: of several batches, with rejects, blank lines or no line end at the end of the file;
/// empty, unusable and damaged.
struct Inbox {
    root: TempDir,
}

impl Inbox {
    fn new() -> Self {
        let inbox = Self {
            root: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(inbox.data()).unwrap();
        let header = COLUMNS.join(",") + "\n";
        let row = |n: u32| match n % 5 {
            3 => "too,few\n".to_owned(),
            4 => format!("\n\"2026-11-01T12:00:00Z\",view,{n},\"s\r\ns\",p\r\n"),
            _ => format!("2026-11-01T12:00:00Z,view,{n},s,p\n"),
        };
        let rows = |range: std::ops::Range<u32>| range.map(row).collect::<String>();
        inbox.add("a.csv", header.clone() + &rows(0..13));
        inbox.add("b.csv", (header.clone() + &rows(20..26)).trim_end());
        inbox.add(
            "damaged.csv",
            header.clone() + &rows(30..36) + "x,\"y\n" + &rows(40..44),
        );
        inbox.add("empty.csv", "");
        inbox.add("header.csv", header.clone());
        inbox.add("other.csv", "a,b\n1,2\n");
        inbox.add("rejects.csv", header + "x\ny\n");
        inbox
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn done(&self) -> PathBuf {
        self.root.path().join("done")
    }

    /// Adds a file that was modified long ago, so that the source does not wait for it to settle.
    fn add(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.data().join(name);
        fs::write(&path, text).unwrap();
        let an_hour_ago = SystemTime::now() - Duration::from_secs(3_600);
        File::open(path).unwrap().set_modified(an_hour_ago).unwrap();
    }

    fn source(&self) -> CsvDirSource {
        let limits = CsvLimits::default().max_batch_rows(4);
        // One of the files has no line end at its end.
        CsvDirSource::new(self.data())
            .limits(limits)
            .unterminated_record(UnterminatedRecord::Store)
    }

    /// Moves the archived files back.
    fn restore(&self) {
        for name in listing(&self.done()).unwrap_or_default() {
            fs::rename(self.done().join(&name), self.data().join(&name)).unwrap();
        }
    }
}

/// The names in a directory, if there is one.
fn listing(dir: &Path) -> Option<Vec<String>> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = dir.read_dir().ok()?.map(name).collect();
    names.sort();
    Some(names)
}

#[tokio::test]
async fn csv_directory_source_keeps_the_contract() {
    let inbox = Inbox::new();
    testing::source(|| inbox.source().available_now(true)).check().await;
    testing::source(|| inbox.source().available_now(true).boxed())
        .check()
        .await;
    let events = || inbox.source().available_now(true).validate(Rules::default());
    testing::source(events).check().await;
    testing::pipeline(events, async || MemorySink::new("test"))
        .check()
        .await;
}

#[tokio::test]
async fn continuous_csv_directory_source_keeps_the_contract() {
    let inbox = Inbox::new();
    testing::source(|| inbox.source())
        .until_idle()
        .most_cuts(3)
        .check()
        .await;
}

#[tokio::test]
async fn archiving_csv_directory_source_keeps_the_contract() {
    let inbox = Arc::new(Inbox::new());
    let archiving = || {
        let archive = AfterCommit::Archive(inbox.done());
        inbox.source().available_now(true).after_commit(archive)
    };
    archiving().check().unwrap();
    assert!(!inbox.done().exists(), "the check of the settings made a directory");
    let source = || {
        inbox.restore();
        archiving()
    };
    let (outside, acted_on) = (inbox.clone(), inbox.clone());
    testing::source(source)
        .outside(move || (listing(&outside.data()), listing(&outside.done()).unwrap_or_default()))
        .acted_on(move |position| acted_on.done().join(position.split.path()).exists())
        .check()
        .await;
    let store = async || {
        inbox.restore();
        MemorySink::new("test")
    };
    let events = || archiving().validate(Rules::default());
    testing::pipeline(events, store).check().await;
}

/// Reads what the sink has written with the source of the crate.
struct CsvStore(TempDir);

impl Store for CsvStore {
    type Item = Event;
    type Sink = CsvDirSink<Event>;

    fn sink(&self) -> CsvDirSink<Event> {
        CsvDirSink::new(self.0.path()).max_rows(7).roll_every(None)
    }

    async fn contents(&self) -> Vec<Event> {
        let sink = MemorySink::new("test");
        let source = CsvDirSource::new(self.0.path())
            .settle_for(Duration::ZERO)
            // After a crash a run may write the same file again. It must not be skipped as a copy.
            .allow_copies(true)
            .available_now(true);
        let events = source.validate(Rules::default());
        events.to(sink.clone()).run().await.unwrap();
        sink.values()
    }
}

#[tokio::test]
async fn csv_directory_sink_keeps_the_contract() {
    let store = async || CsvStore(tempfile::tempdir().unwrap());
    testing::sink(store, (0..40).map(event))
        .remembers_nothing()
        .check()
        .await;
}

/// A transform that follows event time, in which each number is a second.
struct Timing<T>(T);

impl<T: Transform<Timed<i64>>> Transform<i64> for Timing<T> {
    type Out = T::Out;

    fn describe(&self, topology: &mut Topology) {
        topology.add_operator("event_time");
        self.0.describe(topology);
    }

    fn apply(self, input: impl BatchStream<i64> + 'static, from: Checkpoint) -> impl BatchStream<T::Out> {
        let timed = EventTime::new(second, Duration::from_secs(20)).apply(input, from.clone());
        self.0.apply(timed.boxed(), from)
    }
}

/// Numbers that are out of order, the last three of them late.
fn scattered() -> impl Iterator<Item = i64> + Clone {
    (0..90).map(|n| n * 7 % 15 + n).chain(0..3)
}

#[tokio::test]
async fn windows_keep_the_contract() {
    for windows in [
        Windows::tumbling(Duration::from_secs(10)),
        Windows::hopping(Duration::from_secs(20), Duration::from_secs(5)),
        Windows::session(Duration::from_secs(5)),
    ] {
        let later = windows
            .allowed_lateness(Duration::from_secs(10))
            .early(Duration::from_secs(3));
        for windows in [windows, later] {
            let counts = || Timing(WindowAggregate::new(windows, |n: &i64| n % 3, Count));
            testing::transform(counts, scattered()).not_one_to_one().check().await;
            let emit_late = || Timing(WindowAggregate::new(windows, |n: &i64| n % 3, Count).emit_late());
            testing::transform(emit_late, scattered())
                .not_one_to_one()
                .check()
                .await;
        }
    }
}

#[tokio::test]
async fn scan_and_deduplicate_keep_the_contract() {
    let sums = |sum: &mut i64, n: i64| {
        *sum += n;
        (n % 4 > 0).then_some(*sum)
    };
    let time_to_live = Duration::from_secs(30);
    let scan = || Timing(Scan::new(|n: &i64| n % 3, time_to_live, || 0, sums));
    testing::transform(scan, scattered()).check().await;
    let emit_late = || Timing(Scan::new(|n: &i64| n % 3, time_to_live, || 0, sums).emit_late());
    testing::transform(emit_late, scattered()).check().await;
    let deduplicate = || Timing(Deduplicate::new(|n: &i64| n % 10, time_to_live));
    testing::transform(deduplicate, scattered()).check().await;
    let emit_late = || Timing(Deduplicate::new(|n: &i64| n % 10, time_to_live).emit_late());
    testing::transform(emit_late, scattered()).check().await;
}

/// A join whose left records are the even numbers and whose right records are the odd ones.
struct Sides<T>(T);

impl<T: Transform<Timed<Either<i64, i64>>>> Transform<Timed<i64>> for Sides<T> {
    type Out = T::Out;

    fn describe(&self, topology: &mut Topology) {
        self.0.describe(topology);
    }

    fn apply(self, input: impl BatchStream<Timed<i64>> + 'static, from: Checkpoint) -> impl BatchStream<T::Out> {
        let side = |timed: Timed<i64>| {
            timed.map(|n| match n % 2 {
                0 => Either::Left(n),
                _ => Either::Right(n),
            })
        };
        let sides = Map::new(side).apply(input, from.clone());
        self.0.apply(sides.boxed(), from)
    }
}

#[tokio::test]
async fn joins_keep_the_contract() {
    let join = || {
        let (from, to) = (time::Duration::seconds(-4), time::Duration::seconds(10));
        IntervalJoin::new(|n: &i64| n % 3, |n: &i64| n % 3, from, to)
    };
    testing::transform(|| Timing(Sides(join())), scattered())
        .not_one_to_one()
        .check()
        .await;
    testing::transform(|| Timing(Sides(join().keep_left(true).keep_right(true))), scattered())
        .not_one_to_one()
        .check()
        .await;
    testing::transform(|| Timing(Sides(join().emit_late())), scattered())
        .not_one_to_one()
        .check()
        .await;
    let name = async |n: i64| Ok((n % 2 == 0).then(|| n.to_string()));
    testing::transform(|| LookupJoin::new(|n: &i64| n % 5, name), 0..40)
        .check()
        .await;
}

#[tokio::test]
async fn windows_over_window_results_survive_crashes() {
    let top = || {
        let numbers = MemorySource::new("numbers", scattered().collect()).max_batch_rows(4);
        let counts = numbers
            .event_time(second, Duration::from_secs(20))
            .key_by(|n: &i64| n % 5)
            .tumbling(Duration::from_secs(10))
            .aggregate(Count);
        let by_window = EventTime::new(|count: &Windowed<i64, u64>| count.window.last(), Duration::ZERO);
        counts
            .via(by_window.named("by window"))
            .key_by(|_| ())
            .named("top")
            .tumbling(Duration::from_secs(10))
            .aggregate(TopK::of(2, |count: &Windowed<i64, u64>| (count.value, count.key)))
            .map(|top| (top.window, top.value))
    };
    testing::pipeline(top, async || MemorySink::new("test"))
        .not_one_to_one()
        .check()
        .await;
}
