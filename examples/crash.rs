//! Kills the loading process at random moments while a shop writes files, and sometimes the server. Then it checks that the table has
//! every event exactly once.
//!
//! `cargo run --release --example crash` needs only PostgreSQL's server programs. The program starts itself a second time as the loading
//! process, which runs the same pipeline as `ecom-ingest`. It kills that process with SIGKILL, so that the process cannot clean up.

#![allow(clippy::print_stdout, reason = "this is a program")]

use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::fs::{self, File};
use std::io::stderr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_stream::try_stream;
use clap::{Parser, Subcommand};
use ecom_gen::{Delivery, Pace, Shop, ShopSource};
use ecom_ingest::Service;
use ecom_ingest::progress::{Form, Total};
use ecom_ingest::terminal::has_colors;
use ecom_sink_pg::PgSink;
use ecom_sink_pg::server::{PrivateServer, Shutdown};
use ecom_stream::uuid::Uuid;
use ecom_stream::{
    AfterCommit, BatchStream, Checkpoint, CsvDirSink, CsvDirSource, Event, Rules, SourceExt, Topology, Transform,
    stop_signal,
};
use futures::{StreamExt, pin_mut};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use rustix::process::{Pid, Signal, kill_process};
use time::OffsetDateTime;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio_postgres::{Client, NoTls, Row};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Every eighth kill is one of the server, which stops as in a power failure.
const SERVER_EVERY: u32 = 8;
/// What the loading process is doing while it has no session.
const STARTING: &str = "while it started";
/// Rows in each file of the shop.
const ROWS_PER_FILE: u64 = 1_000;

/// Kills the loading process at random moments while files arrive, then shows that no event is lost and none is stored twice.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    /// How many times the loading process or its server is killed
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
    /// How many events the shop writes during that time
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(1..))]
    rows: u64,
    /// Seed of the events and of the times of kills (what a kill hits also depends on the machine)
    #[arg(long)]
    seed: Option<u64>,
    /// An empty or new directory for files, archive and log, to keep them; without it they are deleted
    #[arg(long)]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    process: Option<ChildProcess>,
}

#[derive(Subcommand)]
enum ChildProcess {
    /// The loading process, which is killed
    #[command(hide = true)]
    Ingest { dir: PathBuf, url: String },
}

#[tokio::main]
async fn main() -> Outcome<ExitCode> {
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(stderr)
        .with_ansi(has_colors(&stderr()))
        .init();
    let args = Args::parse();
    match args.process {
        Some(ChildProcess::Ingest { dir, url }) => ingest(&dir, &url).await,
        None => {
            let temporary = tempfile::tempdir()?;
            let dir = match &args.dir {
                Some(dir) => create_empty(dir)?,
                None => temporary.path(),
            };
            crash(&args, dir).await
        }
    }
}

fn create_empty(dir: &Path) -> Outcome<&Path> {
    fs::create_dir_all(dir)?;
    match fs::read_dir(dir)?.next() {
        None => Ok(dir),
        Some(_) => Err(format!("the directory {} is not empty", dir.display()).into()),
    }
}

/// The loading process, which runs the same pipeline as `ecom-ingest run --archive`.
async fn ingest(dir: &Path, url: &str) -> Outcome<ExitCode> {
    let sink = PgSink::from_url(url)?.pipeline("crash");
    let state = sink.instance_state();
    let pipeline = || {
        CsvDirSource::new(dir.join("data"))
            .settle_for(Duration::from_millis(100))
            .after_commit(AfterCommit::Archive(dir.join("archive")))
            .validate(Rules::default())
            .stamp()
            .to(sink.clone())
    };
    let service = Service::new("crash", "data", "ecom.events").progress(Form::None, Total::Unknown);
    service.run_until(pipeline, state, stop_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}

async fn crash(args: &Args, dir: &Path) -> Outcome<ExitCode> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let mut random = fastrand::Rng::with_seed(seed);
    let began = Instant::now();
    fs::create_dir(dir.join("data"))?;
    let server = PrivateServer::builder().temporary().start().await?;
    println!(
        "A shop writes {} events to CSV files. The process that loads them, or its server, is killed {} times. Seed {seed}.\n",
        HumanCount(args.rows),
        args.kills
    );

    let written = WrittenEvents::default();
    let (allow, allowed) = watch::channel(0);
    let shop = tokio::spawn(shop(args.rows, seed, dir.join("data"), written.clone(), allowed));

    let display = Display::new(args, server.url());
    let watching = tokio::spawn(display.clone().follow_commits());
    let mut activities: BTreeMap<&str, u32> = BTreeMap::new();
    let mut running: Option<Child> = None;
    for kill in 1..=args.kills {
        let mut process = match running.take() {
            Some(process) => process,
            None => start(dir, server.url())?,
        };
        // Every third process is killed early, the others while more files arrive and are loaded.
        tokio::time::sleep(Duration::from_millis(random.u64(..[80, 500, 500][kill as usize % 3]))).await;
        allow.send_replace(args.rows * u64::from(kill) / u64::from(args.kills + 1));
        tokio::time::sleep(Duration::from_millis(random.u64(..150))).await;
        if let Some(status) = process.try_wait()? {
            return Err(format!(
                "the loading process ended by itself, with {status}: see {}",
                log(dir).display()
            )
            .into());
        }
        // A stopped process does not go on while its sessions are looked at.
        signal(&process, Signal::STOP)?;
        let activity = display.activity().await?;
        *activities.entry(activity).or_default() += 1;
        if kill % SERVER_EVERY == 0 {
            server.stop(Shutdown::Immediate).await?;
            signal(&process, Signal::CONT)?;
            server.start().await?;
            running = Some(process);
            display.show_kill(kill, "the server, ", activity);
        } else {
            signal(&process, Signal::KILL)?;
            process.wait().await?;
            display.show_kill(kill, "", activity);
        }
    }

    // The last process is not killed: it loads the rest, and stops on SIGTERM.
    allow.send_replace(u64::MAX);
    let mut last = match running {
        Some(process) => process,
        None => start(dir, server.url())?,
    };
    shop.await??;
    display.bar.set_message("no more kills: the rest is loaded");
    // A process that has a session also handles signals.
    while fs::read_dir(dir.join("data"))?.next().is_some() || display.activity().await? == STARTING {
        if let Some(status) = last.try_wait()? {
            return Err(format!("the loading process ended by itself, with {status}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    signal(&last, Signal::TERM)?;
    if !last.wait().await?.success() {
        return Err("the loading process did not stop cleanly on SIGTERM".into());
    }
    watching.abort();
    display.bar.finish_and_clear();

    println!("\nWhat was going on when something was killed:");
    for (activity, times) in activities {
        println!("  {times:>4}  {activity}");
    }
    let files = fs::read_dir(dir.join("archive"))?.count() as u64;
    println!("\nAfter {:.0} s:", began.elapsed().as_secs_f64());
    compare(args, &display, written, files).await
}

fn start(dir: &Path, url: &str) -> Outcome<Child> {
    let log = File::options().create(true).append(true).open(log(dir))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("ingest").arg(dir).arg(url).stderr(log).kill_on_drop(true);
    Ok(command.spawn()?)
}

fn log(dir: &Path) -> PathBuf {
    dir.join("ingest.log")
}

fn signal(process: &Child, signal: Signal) -> Outcome<()> {
    let id = process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    Ok(kill_process(id.ok_or("the loading process has ended")?, signal)?)
}

/// What identifies an event: its id, and its time in microseconds.
type Key = (Uuid, i128);

fn key(id: Uuid, time: OffsetDateTime) -> Key {
    (id, time.unix_timestamp_nanos() / 1_000)
}

/// The events that the shop wrote, and how many of them it wrote again.
#[derive(Clone, Default)]
struct WrittenEvents(Arc<Mutex<(HashSet<Key>, u64)>>);

impl WrittenEvents {
    fn add(&self, event: &Event) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = written.0.insert(key(event.event_id, event.event_time));
        written.1 += u64::from(!is_new);
    }

    fn take(&self) -> (HashSet<Key>, u64) {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes the files of the shop. `allowed` limits how many events are written so far.
async fn shop(
    rows: u64,
    seed: u64,
    data: PathBuf,
    written: WrittenEvents,
    allowed: watch::Receiver<u64>,
) -> ecom_stream::Result<()> {
    let now = OffsetDateTime::now_utc();
    let shop = Shop::builder(seed, now).delivery(Delivery::exact());
    ShopSource::new(shop.ending_at(now, rows))
        .pace(Pace::AsFastAsPossible)
        .events(rows)
        .via(Gate(allowed))
        .inspect(move |batch| batch.records.iter().for_each(|record| written.add(&record.value)))
        .to(CsvDirSink::new(data).max_rows(ROWS_PER_FILE))
        .run()
        .await?;
    Ok(())
}

/// A transform that passes batches on only until the allowed number of events is reached, and then waits.
struct Gate(watch::Receiver<u64>);

impl Transform<Event> for Gate {
    type Out = Event;

    fn describe(&self, topology: &mut Topology) {
        topology.add_operator("gate");
    }

    fn apply(mut self, input: impl BatchStream<Event> + 'static, _: Checkpoint) -> impl BatchStream<Event> {
        try_stream! {
            let mut passed = 0;
            for await batch in input {
                let batch = batch?;
                // The sender is dropped only when the program ends.
                let _ = self.0.wait_for(|allowed| passed < *allowed).await;
                passed += batch.records.len() as u64;
                yield batch;
            }
        }
    }
}

/// What the program shows while it runs: a progress bar on a terminal, lines otherwise.
#[derive(Clone)]
struct Display {
    url: String,
    kills: u32,
    bar: ProgressBar,
}

impl Display {
    fn new(args: &Args, url: &str) -> Self {
        let style = "{bar:40.green} {human_pos} of {human_len} rows committed, {per_sec}\n{spinner} {msg}";
        let bar = ProgressBar::new(args.rows);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self {
            url: url.to_owned(),
            kills: args.kills,
            bar: match ProgressStyle::with_template(style) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            },
        }
    }

    fn show_kill(&self, kill: u32, whom: &str, activity: &str) {
        let rows = HumanCount(self.bar.position());
        self.bar
            .set_message(format!("kill {kill} of {}: {whom}{activity}", self.kills));
        if self.bar.is_hidden() {
            println!(
                "kill {kill:>3} of {}, {rows:>9} rows committed: {whom}{activity}",
                self.kills
            );
        }
    }

    /// Shows how many rows are committed, until the task is aborted.
    async fn follow_commits(self) {
        const STORED: &str = "SELECT coalesce(sum(stored), 0)::int8 FROM ecom.ingest_split";
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            // While the server is down, or has no tables yet, nothing is shown.
            let Ok(client) = connect(&self.url).await else { continue };
            while let Ok(row) = client.query_one(STORED, &[]).await {
                self.bar.set_position(row.get::<_, i64>(0) as u64);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// What the sessions of the loading process are doing, as the server sees them.
    async fn activity(&self) -> Outcome<&'static str> {
        const SESSIONS: &str = "
            SELECT state, ltrim(query, E' \\n') FROM pg_stat_activity
            WHERE application_name LIKE 'ecom %' AND state IS NOT NULL";
        let sessions = connect(&self.url).await?.query(SESSIONS, &[]).await?;
        let activities = sessions
            .iter()
            .map(|session| session_activity(session.get(0), session.get(1)));
        // Of several sessions the rarest activity is reported.
        Ok(activities.min().map_or(STARTING, |(_, activity)| activity))
    }
}

/// What a session is doing, from the columns of `pg_stat_activity`; the number is lower the rarer that is.
fn session_activity(state: &str, query: &str) -> (u32, &'static str) {
    let runs = |statement| query.starts_with(statement);
    match state {
        "active" if runs("COMMIT") => (0, "while the server committed"),
        "idle in transaction" if runs("UPDATE ecom.ingest_pipeline") => {
            (1, "after all was written, right before COMMIT")
        }
        "idle in transaction" if runs("COPY") => (2, "between COPY and the ledger"),
        _ if runs("INSERT INTO ecom.") || runs("UPDATE ecom.") => (3, "while it wrote the ledger"),
        "active" if runs("COPY") => (4, "in the middle of a COPY"),
        _ if runs("SELECT ecom.ensure_partitions") => (5, "while it made a partition"),
        "idle in transaction" | "active" if runs("CREATE") || runs("--") => (6, "while it made the tables"),
        "idle in transaction" => (7, "right after BEGIN"),
        _ if runs("COMMIT") => (8, "between two epochs"),
        _ => (9, "before its first epoch"),
    }
}

async fn connect(url: &str) -> Outcome<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Compares the table and the ledger with what the shop wrote, and prints the result.
async fn compare(args: &Args, display: &Display, written: WrittenEvents, archived: u64) -> Outcome<ExitCode> {
    const LEDGER: &str = "
        SELECT coalesce(sum(read), 0)::int8, coalesce(sum(stored), 0)::int8, coalesce(sum(duplicates), 0)::int8,
               coalesce(sum(rejected), 0)::int8, count(*), coalesce(max(epoch), 0)
        FROM ecom.ingest_split, (SELECT max(epoch) AS epoch FROM ecom.ingest_pipeline) AS last";
    let (mut missing, repeated) = written.take();
    let generated = missing.len() as u64 + repeated;

    let client = connect(&display.url).await?;
    let ledger: Row = client.query_one(LEDGER, &[]).await?;
    let [read, stored, duplicates, rejected, files, epochs]: [u64; 6] =
        std::array::from_fn(|column| ledger.get::<_, i64>(column) as u64);
    // Each row removes its event from `missing`. A row that finds no event there is stored twice, or was never written.
    let (mut rows, mut doubled) = (0, 0);
    let none: [i32; 0] = [];
    let table = client
        .query_raw("SELECT event_id, event_time FROM ecom.events", none)
        .await?;
    pin_mut!(table);
    while let Some(row) = table.next().await {
        let row = row?;
        rows += 1;
        doubled += u64::from(!missing.remove(&key(row.get(0), row.get(1))));
    }
    let lost = missing.len() as u64;

    println!(
        "{} events generated = {} stored + {} duplicates + {} rejected",
        HumanCount(generated),
        HumanCount(stored),
        HumanCount(duplicates),
        HumanCount(rejected)
    );
    println!(
        "{} rows in the table, of {epochs} epochs; {archived} files in the archive",
        HumanCount(rows)
    );
    println!("\n{} kills, {lost} lost, {doubled} doubled", args.kills);
    let balances = generated == args.rows
        && (read, stored, duplicates, rejected) == (generated, rows, repeated, 0)
        && (lost, doubled, archived) == (0, 0, files);
    Ok(match balances {
        true => ExitCode::SUCCESS,
        false => {
            println!("FAILED: the rows, the counts or the archived files differ from what the shop wrote");
            ExitCode::FAILURE
        }
    })
}
