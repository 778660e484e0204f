//! Single histories that must come out in one way: what changes when, and what the source does about it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::model;
use super::run::{Mapping, Settings, run};
use super::shop::HEADER;
use super::sink::SimSink;
use super::world::{Actor, DATA, Faults, Shared, World, lock};
use crate::connectors::csv_dir::{CsvDirSource, UnterminatedRecord};
use crate::connectors::memory::MemorySink;
use crate::contract::{Position, SplitState};

const SETTLE: Duration = Duration::from_millis(500);

/// Nobody acts in the world but the test.
#[derive(Debug)]
struct Nobody;

impl Actor for Nobody {
    fn act(&mut self, _: &mut World) {}

    fn is_done(&self) -> bool {
        true
    }
}

/// A world without faults, whose file system takes its times from a clock that ticks every `tick`, and a source that reads it.
struct Scenario {
    world: Shared,
    settings: Settings,
}

impl Scenario {
    fn new(tick: Duration) -> Self {
        let tick_ns = i64::try_from(tick.as_nanos()).unwrap();
        let world = World::new(Rng::with_seed(7), Nobody, Faults::default(), tick_ns);
        let world: Shared = Arc::new(Mutex::new(world));
        let sink = SimSink {
            store: MemorySink::new("scenario"),
            durable: Arc::default(),
            world: world.clone(),
            process: 0,
            fails: 0,
            epoch_batches: 1,
            allow_copies: false,
            went_back: 0,
        };
        let config = CsvDirSource::new(DATA).columns(model::columns());
        let settings = Settings {
            config: config.settle_for(SETTLE).rescan_every(SETTLE),
            to: None,
            unterminated: UnterminatedRecord::Wait,
            world: world.clone(),
            sink,
            mapping: Mapping::None,
            mapping_seed: None,
        };
        Self { world, settings }
    }

    /// Runs the source in the background for an hour of simulated time, or until it is aborted.
    fn start(&self) -> JoinHandle<()> {
        let settings = self.settings.clone();
        tokio::spawn(async move {
            let _ = run(settings, Some(Duration::from_secs(3_600))).await;
        })
    }

    /// Puts a file into the directory by renaming it.
    fn put(&self, name: &str, text: &str) -> usize {
        let mut world = lock(&self.world);
        let node = world.create(".new.tmp");
        world.append(node, text.as_bytes());
        world.rename(".new.tmp", name);
        node
    }

    /// Runs the source as long as a file is being modified, until the newest position of a path is so.
    async fn run_while_modified(&self, node: usize, path: &str, until: impl Fn(&Position) -> bool) {
        let running = self.start();
        for _ in 0..100 {
            {
                let mut world = lock(&self.world);
                let now = world.wall_ns();
                world.set_mtime(node, now);
            }
            sleep(SETTLE / 2).await;
            if self.position(path).is_some_and(|position| until(&position)) {
                running.abort();
                return;
            }
        }
        panic!("{path} never is so: {:?}", self.position(path));
    }

    /// The newest position of a path in the ledger.
    fn position(&self, path: &str) -> Option<Position> {
        let durable = self.settings.sink.durable.lock().unwrap();
        let mut of_path = durable.last.values().filter(|position| position.split.path() == path);
        of_path.next_back().cloned()
    }

    /// Waits until the file is finished with so many records, for some time.
    async fn finished(&self, path: &str, records: u64) -> Position {
        for _ in 0..100_000 {
            let last = self.position(path);
            if let Some(last) = last.filter(|last| last.state == SplitState::Finished && last.record == records) {
                return last;
            }
            sleep(Duration::from_millis(1)).await;
        }
        panic!("{path} never has {records} records: {:?}", self.position(path));
    }
}

fn rows(from: u32, to: u32) -> String {
    (from..to)
        .map(|id| format!("r{id:06},000,{}\n", "x".repeat(80)))
        .collect()
}

fn file(from: u32, to: u32) -> String {
    format!("{HEADER}\n{}", rows(from, to))
}

#[tokio::test(start_paused = true)]
async fn content_written_in_the_tick_in_which_the_file_was_read_is_read() {
    // Each tick is longer than it takes to read the file.
    let scenario = Scenario::new(Duration::from_secs(2));
    let running = scenario.start();
    let node = scenario.put("a.csv", &file(0, 3));
    let read = scenario.finished("a.csv", 3).await;
    {
        let mut world = lock(&scenario.world);
        let before = world.stat(node);
        world.rewrite(node, file(3, 6).into_bytes());
        assert_eq!(world.stat(node), before, "the metadata do not tell");
    }
    sleep(Duration::from_secs(10)).await;
    let again = scenario.position("a.csv").unwrap();
    assert_eq!((read.split.generation(), again.split.generation()), (0, 1));
    assert_eq!((again.state, again.record), (SplitState::Finished, 3));
    running.abort();
    assert_eq!(lock(&scenario.world).broken_laws, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_appended_line_costs_the_line_and_not_the_file() {
    const BEFORE: u32 = 10_000;
    const APPENDED: u32 = 18;
    let scenario = Scenario::new(Duration::from_millis(4));
    lock(&scenario.world).max_read_bytes = 100_000;
    // Two files that grow in step have equal sizes, as copies have.
    let nodes = [
        scenario.put("a.csv", &file(0, BEFORE)),
        scenario.put("c.csv", &file(BEFORE, 2 * BEFORE)),
    ];
    let running = scenario.start();
    for name in ["a.csv", "c.csv"] {
        scenario.finished(name, u64::from(BEFORE)).await;
    }
    let size = lock(&scenario.world).bytes(nodes[0]).len() as u64;
    let before = lock(&scenario.world).bytes_read;
    for n in (0..APPENDED).step_by(2) {
        // One row, and another one: after the file was closed, or in one go, or when the file was about to settle.
        for at in [BEFORE + n, BEFORE + n + 1] {
            for node in nodes {
                let mut world = lock(&scenario.world);
                world.append(node, rows(at, at + 1).as_bytes());
                if n % 3 == 0 {
                    world.closed(node);
                }
            }
            if n % 3 != 1 {
                sleep(SETTLE * 2 / 3).await;
            }
        }
        for name in ["a.csv", "c.csv"] {
            scenario.finished(name, u64::from(BEFORE + n + 2)).await;
        }
    }
    let each = (lock(&scenario.world).bytes_read - before) / u64::from(2 * APPENDED);
    assert!(each < size / 2, "{each} bytes were read for a line of a file of {size}");
    running.abort();
    assert_eq!(lock(&scenario.world).broken_laws, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_grows_to_many_times_its_size_is_compared_whole_a_few_times() {
    let scenario = Scenario::new(Duration::from_millis(4));
    lock(&scenario.world).max_read_bytes = 100_000;
    let node = scenario.put("a.csv", &file(0, 1_500));
    let running = scenario.start();
    scenario.finished("a.csv", 1_500).await;
    let mut rows_in_it = 1_500;
    while rows_in_it < 24_000 {
        lock(&scenario.world).append(node, rows(rows_in_it, rows_in_it + 500).as_bytes());
        rows_in_it += 500;
        scenario.finished("a.csv", u64::from(rows_in_it)).await;
    }
    let world = lock(&scenario.world);
    let (size, read) = (world.bytes(node).len() as u64, world.bytes_read);
    // It is read once, all of it is compared at each doubling, and its ends and the header are read at each of 45 growths.
    // Comparing all of it at each growth takes 24 times the size.
    assert!(read < 9 * size, "{read} bytes were read of {size}");
    assert_eq!(world.broken_laws, [""; 0]);
    drop(world);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn other_content_is_told_from_growth() {
    // Where the new content differs from the old one, and whether it is told at once. If not, it is when the file has doubled.
    for (row, at_once) in [(0, true), (2_999, true), (1_000, false)] {
        let scenario = Scenario::new(Duration::from_millis(4));
        lock(&scenario.world).max_read_bytes = 100_000;
        let node = scenario.put("a.csv", &file(0, 3_000));
        let running = scenario.start();
        scenario.finished("a.csv", 3_000).await;
        sleep(SETTLE).await;
        let mut text = file(0, 3_001);
        let at = text.find(&rows(row, row + 1)).unwrap();
        text.replace_range(at..at + 7, "r900000");
        lock(&scenario.world).rewrite(node, text.clone().into_bytes());
        let told = scenario.finished("a.csv", 3_001).await;
        assert_eq!(told.split.generation(), u32::from(at_once), "row {row}");
        lock(&scenario.world).append(node, rows(3_001, 6_500).as_bytes());
        scenario.finished("a.csv", 6_500).await;
        lock(&scenario.world).append(node, rows(6_500, 6_501).as_bytes());
        let told = scenario.finished("a.csv", 6_501).await;
        assert_eq!(told.split.generation(), 1, "row {row}");
        running.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn rejects_that_a_file_had_under_its_former_name_are_neither_lost_nor_doubled_by_another_mapping() {
    for is_copied in [false, true] {
        let mut scenario = Scenario::new(Duration::from_millis(4));
        scenario.settings.mapping = Mapping::Refusing("one");
        let node = lock(&scenario.world).create("a.csv");
        lock(&scenario.world).append(node, file(0, 3).as_bytes());
        let is_open = |position: &Position| position.state == SplitState::Open && position.record == 3;
        scenario.run_while_modified(node, "a.csv", is_open).await;
        lock(&scenario.world).rename("a.csv", "b.csv");
        scenario.run_while_modified(node, "b.csv", is_open).await;
        if is_copied {
            // The copy is under the former name, so the rejects are those of the copy by now.
            scenario.put("a.csv", &file(0, 3));
            let is_new = |position: &Position| position.mark.as_json().is_some_and(|mark| !mark.contains("renamed_to"));
            scenario.run_while_modified(node, "a.csv", is_new).await;
        } else {
            let running = scenario.start();
            scenario.finished("b.csv", 3).await;
            running.abort();
        }
        scenario.settings.mapping = Mapping::None;
        // It is read before the copy.
        lock(&scenario.world).set_mtime(node, 1);
        let running = scenario.start();
        sleep(10 * SETTLE).await;
        running.abort();
        let store = &scenario.settings.sink.store;
        assert_eq!((store.records().len(), store.rejects().len()), (0, 3), "{is_copied}");
        assert_eq!(scenario.position("b.csv").unwrap().state, SplitState::Finished);
        assert_eq!(lock(&scenario.world).broken_laws, [""; 0]);
    }
}
