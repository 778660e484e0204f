//! `ecom-ingest`: loads the CSV files of a directory into PostgreSQL, exactly once, and looks after the table.

mod check;
mod infer;
mod maintenance;
mod progress;
mod run;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use ecom_sink_pg::{Maintenance, PgSink};
use ecom_stream::{Error, ErrorKind, Result};
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
  7    check: some of what the files have would be refused
  130  a second signal ended the program at once";

#[derive(Debug, Subcommand)]
enum Command {
    /// Loads the files of a directory, on and on
    Run(run::Run),
    /// Shows what of files would be stored and what refused, and why, without a database
    Check(check::Check),
    /// Proposes a mapping for files like one, as TOML on standard output
    Infer(infer::Infer),
    /// Builds the indexes that only reading needs, on partitions that receive no more rows
    Settle(maintenance::Settle),
    /// Drops the partitions that are older than so many days, and dead letters too
    Retain(maintenance::Retain),
    /// Shows how partitions are made, or changes it for those to come
    Layout(maintenance::ChangeLayout),
}

/// Which database.
#[derive(Debug, Args)]
struct Database {
    /// The database, as postgresql://user:password@host:5432/database; better given in the environment, where other users
    /// of the machine don't see it. What it leaves open is taken from PGHOST, PGUSER, PGPASSWORD and their like
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,

    /// How long to wait at the start for a database that can't be reached
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    wait: Duration,
}

impl Database {
    fn sink(&self) -> Result<PgSink> {
        let sink = match &self.database_url {
            Some(url) => PgSink::from_url(url)?,
            None => PgSink::from_env()?,
        };
        Ok(sink.wait_for_server(self.wait))
    }

    fn maintenance(&self) -> Result<Maintenance> {
        let maintenance = match &self.database_url {
            Some(url) => Maintenance::from_url(url)?,
            None => Maintenance::from_env()?,
        };
        Ok(maintenance.wait_for_server(self.wait))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,refinery_core=warn"));
    // A reader of the log that stalls must not stall the ingest: lines are dropped instead. The guard writes the last ones.
    let (log, _guard) = tracing_appender::non_blocking(std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let done = match command {
        Command::Run(run) => run.run().await,
        Command::Check(check) => match check.run().await {
            Ok(code) => return code,
            Err(err) => Err(err),
        },
        Command::Infer(infer) => infer.run().await,
        Command::Settle(settle) => settle.run().await,
        Command::Retain(retain) => retain.run().await,
        Command::Layout(layout) => layout.run().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            tracing::error!("{}", err.report());
            exit_code(&err)
        }
    }
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
