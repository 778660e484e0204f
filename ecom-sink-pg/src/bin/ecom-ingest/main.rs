//! `ecom-ingest`: loads the CSV files of a directory into PostgreSQL, exactly once, and looks after the table.

mod check;
mod completions;
mod config;
mod health;
mod infer;
mod logging;
mod maintenance;
mod notify;
mod output;
mod progress;
mod rejects;
mod run;
mod schema;
mod serve;
mod status;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use ecom_sink_pg::{Console, Maintenance, PgSink};
use ecom_stream::{Error, ErrorKind, Result};

/// Loads CSV files of shop events into PostgreSQL as they appear: no row lost, none twice, through any crash.
#[derive(Debug, Parser)]
#[command(name = "ecom-ingest", version, after_help = AFTER_HELP)]
struct Cli {
    /// A file with options, in TOML: `input = "/srv/shop"` at the top goes for every command, and below [run] for that one
    #[arg(long, value_name = "FILE", env = "ECOM_CONFIG", global = true)]
    config: Option<PathBuf>,

    /// How the log is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text", global = true)]
    log_format: logging::Format,

    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Every option may also stand in the environment (ECOM_INPUT for --input) or in the file (input).
Flags come first, then the environment, then the file: `ecom-ingest config print` shows what holds.
RUST_LOG says what is logged, such as debug.

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
    /// Shows how it goes: files, lag, rates, what was refused, and what to do next
    Status(status::Status),
    /// Shows what was refused, exports it to be mended, and puts it in again
    Rejects(rejects::Rejects),
    /// Makes the schema of the database, checks it, or prints it
    Schema(schema::Schema),
    /// Builds the indexes that only reading needs, on partitions that receive no more rows
    Settle(maintenance::Settle),
    /// Drops the partitions that are older than so many days, and dead letters too
    Retain(maintenance::Retain),
    /// Shows how partitions are made, or changes it for those to come
    Layout(maintenance::ChangeLayout),
    /// Checks the configuration, or prints it
    Config(config::Config),
    /// Prints what completes this program's options in a shell
    Completions(completions::Completions),
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

    fn console(&self) -> Result<Console> {
        let console = match &self.database_url {
            Some(url) => Console::from_url(url)?,
            None => Console::from_env()?,
        };
        Ok(console.wait_for_server(self.wait))
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
    let matches = match config::read(Cli::command(), std::env::args_os()) {
        Ok(matches) => matches,
        Err(err) => {
            let _guard = logging::start(logging::Format::Text);
            tracing::error!("{}", err.report());
            return exit_code(&err);
        }
    };
    let Cli {
        config,
        log_format,
        command,
    } = Cli::from_arg_matches(&matches).unwrap_or_else(|err| err.exit());
    let _guard = logging::start(log_format);
    let done = match command {
        Command::Run(run) => run.run().await,
        Command::Check(check) => match check.run().await {
            Ok(code) => return code,
            Err(err) => Err(err),
        },
        Command::Infer(infer) => infer.run().await,
        Command::Status(status) => status.run().await,
        Command::Rejects(rejects) => rejects.run().await,
        Command::Schema(schema) => schema.run().await,
        Command::Settle(settle) => settle.run().await,
        Command::Retain(retain) => retain.run().await,
        Command::Layout(layout) => layout.run().await,
        Command::Config(asked) => asked.run(Cli::command(), config),
        Command::Completions(completions) => completions.run(),
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
