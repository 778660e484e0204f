//! Kills the ingest again and again while a shop writes files, and the server now and then, at random moments. Then it
//! counts: every event must be in the table, once.
//!
//! `cargo run --release --example crash` needs nothing but PostgreSQL's server programs. What is killed is this program
//! itself, started a second time as the ingest: a process like `ecom-ingest`, with SIGKILL, so that it can't tidy up.

#![allow(clippy::print_stdout, reason = "this is a program")]

use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::fs::{self, File};
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_stream::try_stream;
use clap::{Parser, Subcommand};
use ecom_gen::{Delivery, Pace, Shop, ShopSource};
use ecom_ingest::Service;
use ecom_ingest::progress::{Form, Total};
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

/// Every so many blows the server gets one: it stops as in a power cut.
const SERVER_EVERY: u32 = 8;
/// A moment without any session.
const STARTING: &str = "while it started";
/// In each file of the shop.
const ROWS_PER_FILE: u64 = 1_000;

/// Kills the ingest at random moments while files arrive, then shows that no event is lost and none is there twice.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    /// How often something is killed
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
    /// How many events the shop writes meanwhile
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(1..))]
    rows: u64,
    /// Seed of the events and of the moments (when something is killed depends on the machine too)
    #[arg(long)]
    seed: Option<u64>,
    /// An empty or new directory for files, archive and log, which then stay; else they are thrown away
    #[arg(long)]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    victim: Option<Victim>,
}

#[derive(Subcommand)]
enum Victim {
    /// The ingest, which is to be killed
    #[command(hide = true)]
    Ingest { dir: PathBuf, url: String },
}

#[tokio::main]
async fn main() -> Outcome<ExitCode> {
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .init();
    let args = Args::parse();
    match args.victim {
        Some(Victim::Ingest { dir, url }) => ingest(&dir, &url).await,
        None => {
            let thrown_away = tempfile::tempdir()?;
            let dir = match &args.dir {
                Some(dir) => empty(dir)?,
                None => thrown_away.path(),
            };
            crash(&args, dir).await
        }
    }
}

fn empty(dir: &Path) -> Outcome<&Path> {
    fs::create_dir_all(dir)?;
    match fs::read_dir(dir)?.next() {
        None => Ok(dir),
        Some(_) => Err(format!("{} is not empty", dir.display()).into()),
    }
}

/// What is killed: what `ecom-ingest run --archive` runs.
async fn ingest(dir: &Path, url: &str) -> Outcome<ExitCode> {
    let sink = PgSink::from_url(url)?.pipeline("crash");
    let standing = sink.instance_state();
    let pipeline = CsvDirSource::new(dir.join("data"))
        .settle_for(Duration::from_millis(100))
        .after_commit(AfterCommit::Archive(dir.join("archive")))
        .validate(Rules::default())
        .stamp()
        .to(sink);
    let service = Service::new("crash", "data", "ecom.events").progress(Form::None, Total::Unknown);
    service.run_until(pipeline, standing, stop_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}

async fn crash(args: &Args, dir: &Path) -> Outcome<ExitCode> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let mut random = fastrand::Rng::with_seed(seed);
    let began = Instant::now();
    fs::create_dir(dir.join("data"))?;
    let server = PrivateServer::builder().temporary().start().await?;
    println!(
        "A shop writes {} events into CSV files. The process that loads them is killed, or its server, {} times. Seed {seed}.\n",
        HumanCount(args.rows),
        args.kills
    );

    let truth = Truth::default();
    let (allow, allowed) = watch::channel(0);
    let shop = tokio::spawn(shop(args.rows, seed, dir.join("data"), truth.clone(), allowed));

    let stage = Stage::new(args, server.url());
    let watching = tokio::spawn(stage.clone().watch());
    let mut moments: BTreeMap<&str, u32> = BTreeMap::new();
    let mut victim: Option<Child> = None;
    for kill in 1..=args.kills {
        let mut process = match victim.take() {
            Some(process) => process,
            None => start(dir, server.url())?,
        };
        // Every third dies young; the others while more files come and are loaded.
        tokio::time::sleep(Duration::from_millis(random.u64(..[80, 500, 500][kill as usize % 3]))).await;
        allow.send_replace(args.rows * u64::from(kill) / u64::from(args.kills + 1));
        tokio::time::sleep(Duration::from_millis(random.u64(..150))).await;
        if let Some(status) = process.try_wait()? {
            return Err(format!("the ingest ended by itself, with {status}: see {}", log(dir).display()).into());
        }
        // Stopped, it stays in the moment until that is known.
        signal(&process, Signal::STOP)?;
        let moment = stage.moment().await?;
        *moments.entry(moment).or_default() += 1;
        if kill % SERVER_EVERY == 0 {
            server.stop(Shutdown::Immediate).await?;
            signal(&process, Signal::CONT)?;
            server.start().await?;
            victim = Some(process);
            stage.show(kill, "the server, ", moment);
        } else {
            signal(&process, Signal::KILL)?;
            process.wait().await?;
            stage.show(kill, "", moment);
        }
    }

    // The last life: it loads the rest, and stops when it is asked to.
    allow.send_replace(u64::MAX);
    let mut survivor = match victim {
        Some(process) => process,
        None => start(dir, server.url())?,
    };
    shop.await??;
    stage.bar.set_message("nothing is killed any more: the rest is loaded");
    // One that has a session listens to signals too.
    while fs::read_dir(dir.join("data"))?.next().is_some() || stage.moment().await? == STARTING {
        if let Some(status) = survivor.try_wait()? {
            return Err(format!("the ingest ended by itself, with {status}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    signal(&survivor, Signal::TERM)?;
    if !survivor.wait().await?.success() {
        return Err("the ingest did not stop cleanly".into());
    }
    watching.abort();
    stage.bar.finish_and_clear();

    println!("\nWhere it was hit:");
    for (moment, times) in moments {
        println!("  {times:>4}  {moment}");
    }
    let files = fs::read_dir(dir.join("archive"))?.count() as u64;
    println!("\nAfter {:.0} s:", began.elapsed().as_secs_f64());
    judge(args, &stage, truth, files).await
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
    Ok(kill_process(id.ok_or("the ingest has ended")?, signal)?)
}

/// What makes an event itself: id and time, in microseconds.
type Key = (Uuid, i128);

fn key(id: Uuid, time: OffsetDateTime) -> Key {
    (id, time.unix_timestamp_nanos() / 1_000)
}

/// What the shop wrote: the events that there are, and how often one was written again.
#[derive(Clone, Default)]
struct Truth(Arc<Mutex<(HashSet<Key>, u64)>>);

impl Truth {
    fn note(&self, event: &Event) {
        let mut truth = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = truth.0.insert(key(event.event_id, event.event_time));
        truth.1 += u64::from(!is_new);
    }

    fn told(&self) -> (HashSet<Key>, u64) {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes the files, as `ecom-gen` does.
async fn shop(
    rows: u64,
    seed: u64,
    data: PathBuf,
    truth: Truth,
    allowed: watch::Receiver<u64>,
) -> ecom_stream::Result<()> {
    let now = OffsetDateTime::now_utc();
    let shop = Shop::builder(seed, now).delivery(Delivery::exact());
    ShopSource::new(shop.ending_at(now, rows))
        .pace(Pace::AsFastAsPossible)
        .events(rows)
        .via(NotBefore(allowed))
        .inspect(move |batch| batch.records.iter().for_each(|record| truth.note(&record.value)))
        .to(CsvDirSink::new(data).max_rows(ROWS_PER_FILE))
        .run()
        .await?;
    Ok(())
}

/// Lets events pass only as far as it is allowed to: a transform of our own.
struct NotBefore(watch::Receiver<u64>);

impl Transform<Event> for NotBefore {
    type Out = Event;

    fn describe(&self, topology: &mut Topology) {
        topology.add_operator("not before");
    }

    fn apply(mut self, input: impl BatchStream<Event> + 'static, _: Checkpoint) -> impl BatchStream<Event> {
        try_stream! {
            let mut passed = 0;
            for await batch in input {
                let batch = batch?;
                // Fails only at the end of the program.
                let _ = self.0.wait_for(|allowed| passed < *allowed).await;
                passed += batch.records.len() as u64;
                yield batch;
            }
        }
    }
}

/// What is shown while it runs.
#[derive(Clone)]
struct Stage {
    url: String,
    kills: u32,
    bar: ProgressBar,
}

impl Stage {
    fn new(args: &Args, url: &str) -> Self {
        let style = "{bar:40.green} {human_pos} of {human_len} rows safe, {per_sec}\n{spinner} {msg}";
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

    fn show(&self, kill: u32, whom: &str, moment: &str) {
        let rows = HumanCount(self.bar.position());
        self.bar
            .set_message(format!("kill {kill} of {}: {whom}{moment}", self.kills));
        if self.bar.is_hidden() {
            println!("kill {kill:>3} of {}, {rows:>9} rows safe: {whom}{moment}", self.kills);
        }
    }

    /// Follows what is committed.
    async fn watch(self) {
        const STORED: &str = "SELECT coalesce(sum(stored), 0)::int8 FROM ecom.ingest_split";
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            // While the server is down, or has no tables yet, there is nothing to be seen.
            let Ok(client) = connect(&self.url).await else { continue };
            while let Ok(row) = client.query_one(STORED, &[]).await {
                self.bar.set_position(row.get::<_, i64>(0) as u64);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// What the sessions of the ingest are doing, as the server sees it.
    async fn moment(&self) -> Outcome<&'static str> {
        const SESSIONS: &str = "
            SELECT state, ltrim(query, E' \\n') FROM pg_stat_activity
            WHERE application_name LIKE 'ecom %' AND state IS NOT NULL";
        let sessions = connect(&self.url).await?.query(SESSIONS, &[]).await?;
        let moments = sessions
            .iter()
            .map(|session| of_session(session.get(0), session.get(1)));
        // What is rarer says more.
        Ok(moments.min().map_or(STARTING, |(_, moment)| moment))
    }
}

fn of_session(state: &str, query: &str) -> (u32, &'static str) {
    let does = |statement| query.starts_with(statement);
    match state {
        "active" if does("COMMIT") => (0, "while the server committed"),
        "idle in transaction" if does("UPDATE ecom.ingest_pipeline") => (1, "with all written, right before COMMIT"),
        "idle in transaction" if does("COPY") => (2, "between COPY and the ledger"),
        _ if does("INSERT INTO ecom.") || does("UPDATE ecom.") => (3, "while it wrote the ledger"),
        "active" if does("COPY") => (4, "in the middle of a COPY"),
        _ if does("SELECT ecom.ensure_partitions") => (5, "while it made a partition"),
        "idle in transaction" | "active" if does("CREATE") || does("--") => (6, "while it made the tables"),
        "idle in transaction" => (7, "right after BEGIN"),
        _ if does("COMMIT") => (8, "between two epochs"),
        _ => (9, "before its first epoch"),
    }
}

async fn connect(url: &str) -> Outcome<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Compares the table with the truth.
async fn judge(args: &Args, stage: &Stage, truth: Truth, archived: u64) -> Outcome<ExitCode> {
    const LEDGER: &str = "
        SELECT coalesce(sum(read), 0)::int8, coalesce(sum(stored), 0)::int8, coalesce(sum(duplicates), 0)::int8,
               coalesce(sum(rejected), 0)::int8, count(*), coalesce(max(epoch), 0)
        FROM ecom.ingest_split, (SELECT max(epoch) AS epoch FROM ecom.ingest_pipeline) AS last";
    let (mut missing, repeated) = truth.told();
    let generated = missing.len() as u64 + repeated;

    let client = connect(&stage.url).await?;
    let ledger: Row = client.query_one(LEDGER, &[]).await?;
    let [read, stored, duplicates, rejected, files, epochs]: [u64; 6] =
        std::array::from_fn(|column| ledger.get::<_, i64>(column) as u64);
    // Each row takes its event off the list of what is missing. One that finds none is there twice, or made up.
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
            println!("THAT IS WRONG: what is lost, doubled, archived or counted does not fit what was generated");
            ExitCode::FAILURE
        }
    })
}
