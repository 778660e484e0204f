//! Single histories that must come out in one way: what changes when, and what the source does about it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::model;
use super::run::{Settings, run};
use super::shop::HEADER;
use super::sink::SimSink;
use super::world::{Actor, DATA, Faults, Shared, World, lock};
use crate::connectors::csv_dir::CsvDirSource;
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
            world: world.clone(),
            sink,
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
