//! One history: the runs of a pipeline in the simulated world, with stops and crashes between them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{sleep, timeout};

use super::super::after_commit::FileAck;
use super::super::removal::{Destination, Removal, Restored};
use super::super::source::batches;
use super::super::uncommitted::Uncommitted;
use super::directory::SimDirectory;
use super::model;
use super::shop::Shop;
use super::sink::SimSink;
use super::world::{ARCHIVE, DATA, Faults, Shared, World, lock};
use crate::connectors::csv_dir::{CsvDirSource, UnterminatedRecord};
use crate::connectors::memory::MemorySink;
use crate::contract::{BatchStream, Checkpoint, Reason, Refusal, Result, Source, Topology};
use crate::csv::{CsvLimits, CsvRecord};
use crate::operators::SourceExt;
use crate::run::Summary;

/// What all runs of one history have in common.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) config: CsvDirSource,
    pub(super) to: Option<Destination>,
    pub(super) unterminated: UnterminatedRecord,
    pub(super) world: Shared,
    pub(super) sink: SimSink,
    /// The mapping of the run.
    pub(super) mapping: Mapping,
    /// If the mapping changes from run to run, this decides how. It is no part of the other numbers, so that a history is the
    /// same with one mapping and with several.
    pub(super) mapping_seed: Option<u64>,
}

/// The mapping of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mapping {
    /// None is needed.
    None,
    /// One with that fingerprint, under which every record is refused.
    Refusing(&'static str),
}

impl Settings {
    /// Sets the mapping of the next run.
    fn choose_mapping(&mut self) {
        let process = lock(&self.world).process;
        if let Some(seed) = self.mapping_seed {
            self.mapping = Mapping::of_run(seed, process);
        }
    }
}

impl Mapping {
    fn of_run(seed: u64, process: u64) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(process));
        [Self::None, Self::Refusing("one"), Self::Refusing("two")][rng.usize(..3)]
    }

    fn fingerprint(self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Refusing(fingerprint) => Some(fingerprint.to_owned()),
        }
    }
}

/// The source as it is in one process.
struct SimSource {
    config: CsvDirSource,
    dir: SimDirectory,
    to: Option<Destination>,
}

impl Source for SimSource {
    type Item = CsvRecord;
    type Ack = FileAck<SimDirectory>;

    fn describe(&self, topology: &mut Topology) {
        topology.add_source("csv", DATA);
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<CsvRecord>, Self::Ack) {
        let uncommitted = Uncommitted::default();
        let dir = self.dir.clone();
        let removal = self.to.map(|to| Removal {
            dir,
            to,
            restored: Restored::default(),
        });
        let ack = FileAck {
            source: "csv".into(),
            uncommitted: uncommitted.clone(),
            removal: removal.clone(),
        };
        (batches(self.config, self.dir, Ok(removal), from, uncommitted), ack)
    }
}

/// What happened in a history, and which laws it broke.
pub(super) struct Outcome {
    pub(super) broken_laws: Vec<String>,
    pub(super) trace: Vec<String>,
}

/// Runs the history of a seed to its end.
pub(super) fn run_seed(seed: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(history(seed))
}

async fn history(seed: u64) -> Outcome {
    let mut rng = Rng::with_seed(seed);
    let mut settings = settings(&mut rng);
    settings.mapping_seed = seed.is_multiple_of(3).then_some(seed);
    let world = settings.world.clone();

    let pace = [20, 300, 3_000][rng.usize(..3)];
    let shop = tokio::spawn({
        let (world, mut rng) = (world.clone(), rng.fork());
        async move {
            loop {
                sleep(Duration::from_millis(rng.u64(1..pace))).await;
                let mut world = lock(&world);
                if world.is_done() {
                    return;
                }
                world.act();
            }
        }
    });
    let server = rng
        .bool()
        .then(|| tokio::spawn(server(settings.sink.clone(), rng.fork())));
    while !lock(&world).is_done() {
        some_run(&settings, &mut rng).await;
    }
    let _ = shop.await;
    if let Some(server) = server {
        let _ = server.await;
    }
    for _ in 0..rng.u32(..2) {
        some_run(&settings, &mut rng).await;
    }

    last_runs(settings, &mut rng).await;
    let mut world = lock(&world);
    Outcome {
        broken_laws: std::mem::take(&mut world.broken_laws),
        trace: std::mem::take(&mut world.trace),
    }
}

/// The server is backed up and goes back to a backup, now and then.
async fn server(sink: SimSink, mut rng: Rng) {
    let mut backups = vec![sink.back_up()];
    let pace = [500, 5_000, 50_000][rng.usize(..3)];
    loop {
        sleep(Duration::from_millis(rng.u64(1..pace))).await;
        if lock(&sink.world).is_done() {
            return;
        }
        match rng.u32(..3) {
            0 => {
                // What was backed up after that is of a past that is gone.
                backups.truncate(rng.usize(..backups.len()) + 1);
                sink.go_back(&backups[backups.len() - 1]);
            }
            _ => backups.push(sink.back_up()),
        }
    }
}

fn settings(rng: &mut Rng) -> Settings {
    let one_in = |rng: &mut Rng, choices: &[u32]| choices[rng.usize(..choices.len())];
    let faults = Faults {
        io_errors: one_in(rng, &[0, 0, 60, 15]),
        lost_notifications: one_in(rng, &[0, 3, 1]),
        late_notifications: one_in(rng, &[0, 3]),
        interleaving: one_in(rng, &[0, 30, 6]),
    };
    let shop = Shop::new(rng);
    let mtime_step_ns = [1, 10_000_000, 2_000_000_000][rng.usize(..3)];
    let world: Shared = Arc::new(Mutex::new(World::new(rng.fork(), shop, faults, mtime_step_ns)));
    let mut config = CsvDirSource::new(DATA)
        .columns(model::columns())
        .settle_for(Duration::from_millis([100, 2_000][rng.usize(..2)]))
        .rescan_every(Duration::from_millis([200, 2_000][rng.usize(..2)]))
        .limits(CsvLimits {
            max_batch_rows: rng.usize(1..6),
            ..CsvLimits::default()
        });
    let allow_copies = rng.u32(..4) == 0;
    if allow_copies {
        config = config.allow_copies(true);
    }
    if rng.u32(..4) == 0 {
        config = config.notifications(false);
    }
    let to = match rng.u32(..4) {
        0 => Some(Destination::Archive(PathBuf::from(ARCHIVE))),
        1 => Some(Destination::Delete),
        _ => None,
    };
    let unterminated = match rng.u32(..3) {
        0 => UnterminatedRecord::Store,
        _ => UnterminatedRecord::Wait,
    };
    config = config.unterminated_record(unterminated);
    lock(&world).note(format!(
        "{faults:?}, copies allowed: {allow_copies}, after commit: {to:?}, unterminated records: {unterminated:?}"
    ));
    let sink = SimSink {
        store: MemorySink::new("simulation"),
        durable: Arc::default(),
        world: world.clone(),
        process: 0,
        fails: one_in(rng, &[0, 20]),
        epoch_batches: rng.usize(1..5),
        allow_copies,
        went_back: 0,
    };
    Settings {
        config,
        to,
        unterminated,
        world,
        sink,
        mapping: Mapping::None,
        mapping_seed: None,
    }
}

/// A run that is stopped, crashes, or reads the files that are there and ends.
async fn some_run(settings: &Settings, rng: &mut Rng) {
    let longest_ms = [300, 5_000, 60_000][rng.usize(..3)];
    let for_long = Duration::from_millis(rng.u64(1..longest_ms));
    let mut settings = settings.clone();
    settings.choose_mapping();
    let is_continuous = rng.u32(..4) > 0;
    if !is_continuous {
        settings.config = settings.config.available_now(true);
    }
    let crashes = rng.u32(..2) == 0;
    {
        let mut world = lock(&settings.world);
        world.note(format!(
            "-- a run{}, mapping: {:?}",
            if is_continuous { "" } else { " of what is there" },
            settings.mapping
        ));
        world.crash_after_calls = (crashes && rng.bool()).then(|| rng.u64(1..300));
    }
    let stop = match is_continuous && !crashes {
        true => Some(for_long),
        false => None,
    };
    let crashed = lock(&settings.world).crashed.clone();
    let world = settings.world.clone();
    let outcome = tokio::select! {
        biased;
        outcome = run(settings, stop) => Some(outcome),
        () = crashed.notified() => None,
        () = sleep(for_long), if crashes => {
            lock(&world).crash();
            crashed.notified().await;
            None
        }
    };
    let mut world = lock(&world);
    world.crash_after_calls = None;
    match outcome {
        Some(Some(Ok(summary))) => world.note(format!("-- ended: {summary:?}")),
        Some(Some(Err(err))) => world.note(format!("-- failed: {}", err.report())),
        Some(None) => world.broken("the run does not end"),
        None => {}
    }
    // Tasks of this run that are still alive can do nothing more.
    world.process += 1;
}

/// The last runs, without any fault, and then the checks of the model.
async fn last_runs(mut settings: Settings, rng: &mut Rng) {
    {
        let mut world = lock(&settings.world);
        world.note("-- from now on nothing happens");
        world.faults = Faults::default();
        if let Some(files) = world.unmounted.take() {
            world.data = files;
        }
    }
    settings.sink.fails = 0;
    settings.choose_mapping();
    if rng.bool() {
        let _ = run(settings.clone(), Some(Duration::from_secs(100))).await;
        lock(&settings.world).process += 1;
    }
    settings.config = settings.config.available_now(true);
    for last in [false, true] {
        lock(&settings.world).note("-- a last run");
        let outcome = run(settings.clone(), None).await;
        let mut world = lock(&settings.world);
        world.process += 1;
        match outcome {
            Some(Ok(summary)) if last && summary.counts.read > 0 => world.broken("there was more to read"),
            Some(Ok(_)) => {}
            Some(Err(err)) if err.to_string().contains("not read to their end") => {}
            Some(Err(err)) => world.broken(format!("the last run failed: {}", err.report())),
            None => world.broken("the last run does not end"),
        }
    }
    model::check(&settings.sink, settings.to.is_some(), settings.unterminated).await;
}

/// One run of the pipeline, as one process; `None` if it does not end in time.
pub(super) async fn run(settings: Settings, stop_after: Option<Duration>) -> Option<Result<Summary>> {
    const LONGEST: Duration = Duration::from_secs(1_200);
    let mut sink = settings.sink;
    sink.process = lock(&settings.world).process;
    let source = SimSource {
        config: settings.config.mapping_fingerprint(settings.mapping.fingerprint()),
        dir: SimDirectory {
            world: settings.world,
            process: sink.process,
        },
        to: settings.to,
    };
    let mapping = settings.mapping;
    let mapped = source.try_map(move |record| match mapping {
        Mapping::None => Ok(record),
        Mapping::Refusing(mapping) => Err(Refusal::new(Reason::EVENT_TIME_MALFORMED, mapping)),
    });
    let pipeline = mapped.to(sink);
    match stop_after {
        Some(after) => timeout(LONGEST, pipeline.run_until(sleep(after))).await.ok(),
        // A run that never ends by itself is crashed by the caller.
        None => timeout(LONGEST, pipeline.run()).await.ok(),
    }
}
