//! `ecom-ingest`: loads the CSV files of a directory into PostgreSQL, exactly once.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use ecom_sink_pg::PgSink;
use ecom_stream::{
    AfterCommit, Commit, Counts, CsvDirSource, Error, ErrorKind, Result, Rules, SourceExt, Summary, stop_signal,
};
use tracing_subscriber::EnvFilter;

/// Loads CSV files of shop events into PostgreSQL as they appear: no row lost, none twice, through any crash.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done, or stopped by SIGINT or SIGTERM after committing what was read
  1    the run failed; what was committed stays, and the next run goes on after it
  2    the command line can't be understood
  3    something is configured in a way that can't work
  4    the schema of the database is not as it should be
  5    the database can't be reached
  6    another instance has taken over the pipeline
  130  a second signal ended the program at once";

#[derive(Debug, Subcommand)]
enum Command {
    /// Loads the files of a directory, on and on
    Run(Run),
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
struct Run {
    /// The directory with the CSV files
    #[arg(long, value_name = "DIR")]
    input: PathBuf,

    /// The database, as postgresql://user:password@host:5432/database; better given in the environment, where other users
    /// of the machine don't see it. What it leaves open is taken from PGHOST, PGUSER, PGPASSWORD and their like
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,

    /// Load what is there, then end; a file that is still written to is read as far as it is
    #[arg(long)]
    once: bool,

    /// Move each file to this directory once all of it is committed; no other program may read the files
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,

    /// Delete each file once all of it is committed; no other program may read the files
    #[arg(long, conflicts_with = "archive")]
    delete: bool,

    /// Read a file that has the same bytes as one read before under another name, instead of skipping it
    #[arg(long)]
    allow_copies: bool,

    /// The name under which the database knows this pipeline; give each input directory its own
    #[arg(long, value_name = "NAME", default_value = "events")]
    pipeline: String,

    /// The input directory has moved since the last run, with the same files
    #[arg(long)]
    moved: bool,

    /// End the instance that runs this pipeline, instead of standing by until it ends; for a start by hand, not for a service
    #[arg(long)]
    take_over: bool,

    /// How long a file must rest before it is taken as whole, unless it was renamed in or closed
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    settle: Duration,

    /// How long to wait at the start for a database that can't be reached
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    wait: Duration,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli {
        command: Command::Run(run),
    } = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,refinery_core=warn"));
    // A reader of the log that stalls must not stall the ingest: lines are dropped instead. The guard writes the last ones.
    let (log, _guard) = tracing_appender::non_blocking(std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let unusable_files = Arc::default();
    match ingest(run, Arc::clone(&unusable_files)).await {
        Ok(summary) => {
            let ended = if summary.stopped { "stopped" } else { "done" };
            tracing::info!("{ended}: {}", in_words(&summary.counts));
            match unusable_files.load(Ordering::Relaxed) {
                0 => {}
                files => tracing::warn!(
                    "files that can't be used, wholly or from some place on: {files}; see ecom.ingest_status"
                ),
            }
            ExitCode::SUCCESS
        }
        Err(err) => {
            tracing::error!("{}", err.report());
            exit_code(&err)
        }
    }
}

async fn ingest(run: Run, unusable_files: Arc<AtomicU64>) -> Result<Summary> {
    let until = if run.once {
        "what is there"
    } else {
        "what comes, until Ctrl-C"
    };
    tracing::info!(
        "loading {} as pipeline {:?}: {until}",
        run.input.display(),
        run.pipeline
    );
    let mut source = CsvDirSource::new(run.input).settle_for(run.settle);
    if run.once {
        source = source.available_now();
    }
    if run.allow_copies {
        source = source.allow_copies();
    }
    if run.delete {
        source = source.after_commit(AfterCommit::Delete);
    }
    if let Some(archive) = run.archive {
        source = source.after_commit(AfterCommit::Archive(archive));
    }
    let sink = match &run.database_url {
        Some(url) => PgSink::from_url(url)?,
        None => PgSink::from_env()?,
    };
    let sink = sink
        .pipeline(run.pipeline)
        .moved(run.moved)
        .take_over(run.take_over)
        .wait_for_server(run.wait);
    let mut progress = Progress {
        unusable_files,
        ..Progress::default()
    };
    source
        .validate(Rules::default())
        .stamp()
        .to(sink)
        .on_commit(move |commit| progress.show(commit))
        .run_until(stop_signal()?)
        .await
}

/// A line now and then, while rows come in.
#[derive(Debug, Default)]
struct Progress {
    counts: Counts,
    unusable_files: Arc<AtomicU64>,
    last_line: Option<Instant>,
}

impl Progress {
    fn show(&mut self, commit: &Commit) {
        const EVERY: Duration = Duration::from_secs(10);
        self.counts += commit.counts;
        let unusable = commit
            .positions
            .iter()
            .filter(|position| position.state.refusal().is_some())
            .count();
        self.unusable_files.fetch_add(unusable as u64, Ordering::Relaxed);
        if self.last_line.is_none_or(|last| last.elapsed() >= EVERY) {
            self.last_line = Some(Instant::now());
            tracing::info!("{}", in_words(&self.counts));
        }
    }
}

fn in_words(counts: &Counts) -> String {
    let Counts {
        read,
        stored,
        duplicates,
        rejected,
        filtered,
    } = counts;
    let mut words = format!("{read} records read: {stored} stored, {duplicates} duplicates, {rejected} rejected");
    if *filtered > 0 {
        words.push_str(&format!(", {filtered} filtered"));
    }
    words
}

fn exit_code(err: &Error) -> ExitCode {
    ExitCode::from(match err.kind() {
        ErrorKind::Configuration => 3,
        ErrorKind::Schema => 4,
        ErrorKind::Unavailable => 5,
        ErrorKind::Fenced => 6,
        _ => 1,
    })
}
