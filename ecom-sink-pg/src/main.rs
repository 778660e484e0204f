//! `ecom-ingest`: loads the CSV files of a directory into PostgreSQL, exactly once.

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use ecom_sink_pg::PgSink;
use ecom_stream::{
    AfterCommit, Counts, CsvDirSource, Error, ErrorKind, Progress, ProgressReceiver, Result, Rules, SourceExt,
    stop_signal,
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

    /// How many connections write at the same time
    #[arg(long, value_name = "N", default_value = "2")]
    connections: NonZeroUsize,

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
    match ingest(run).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            tracing::error!("{}", err.report());
            exit_code(&err)
        }
    }
}

async fn ingest(run: Run) -> Result<()> {
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
        .connections(run.connections)
        .wait_for_server(run.wait);
    let pipeline = source.validate(Rules::default()).stamp().to(sink);
    let progress = pipeline.subscribe();
    let shown = tokio::spawn(show(progress.clone()));
    let summary = pipeline.run_until(stop_signal()?).await;
    shown.abort();
    let summary = summary?;
    let ended = if summary.stopped { "stopped" } else { "done" };
    tracing::info!("{ended}: {}", in_words(&summary.counts));
    let splits = progress.latest().map(|last| last.splits).unwrap_or_default();
    match splits.damaged + splits.set_aside {
        0 => {}
        files => {
            tracing::warn!("files that can't be used, wholly or from some place on: {files}; see ecom.ingest_status");
        }
    }
    Ok(())
}

/// A line now and then, while rows come in.
async fn show(mut progress: ProgressReceiver) {
    const EVERY: Duration = Duration::from_secs(10);
    while let Some(progress) = progress.next().await {
        tracing::info!("{}; {}", in_words(&progress.counts), speed_in_words(&progress));
        tokio::time::sleep(EVERY).await;
    }
}

fn speed_in_words(progress: &Progress) -> String {
    let lag = &progress.lag;
    let mut words = format!("{:.0}/s", progress.rows_per_s.recent);
    for (lag, of) in [(lag.oldest_input, "files"), (lag.newest_event, "newest event")] {
        if let Some(lag) = lag {
            words.push_str(&format!(", {} behind the {of}", in_short(lag)));
        }
    }
    if !lag.ahead.is_zero() {
        words.push_str(&format!(", which is {} ahead of the clock here", in_short(lag.ahead)));
    }
    words
}

fn in_short(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => {
            let unit = [86_400, 3_600, 60, 1]
                .into_iter()
                .find(|unit| seconds >= 100 * unit)
                .unwrap_or(1);
            humantime::format_duration(Duration::from_secs(seconds / unit * unit)).to_string()
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
