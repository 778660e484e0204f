//! The command line as a whole: the commands, the options that all of them take, and the exit codes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use ecom_ingest::logging;
use ecom_stream::{Error, ErrorKind};

use super::help::AFTER_HELP;
use super::{check, completions, config, infer, maintenance, rejects, run, schema, status};

/// Loads CSV files of shop events into PostgreSQL as they appear: no row lost, none twice, through any crash.
#[derive(Debug, Parser)]
#[command(name = "ecom-ingest", version, after_help = AFTER_HELP)]
struct Cli {
    /// The configuration file, in TOML: `input = "/srv/shop"` at the top applies to every command, below [run] only to that one
    #[arg(long, value_name = "FILE", env = "ECOM_CONFIG", global = true)]
    config: Option<PathBuf>,

    /// The format of the log
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text", global = true)]
    log_format: logging::Format,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Loads the files of a directory as they appear
    Run(run::Run),
    /// Shows which records of files would be stored and which rejected, and why; needs no database
    Check(check::Check),
    /// Proposes a mapping for files with other columns, as TOML on standard output
    Infer(infer::Infer),
    /// Shows the status: files, lag, rates, rejected records, and what to do next
    Status(status::Status),
    /// Lists rejected records, exports them to be corrected, and retries them
    Rejects(rejects::Rejects),
    /// Creates the schema of the database, checks it, or prints it
    Schema(schema::Schema),
    /// Builds the indexes that only reading needs, on partitions that receive no more rows
    Settle(maintenance::Settle),
    /// Drops partitions, events and dead letters that are older than a number of days
    Retain(maintenance::Retain),
    /// Merges old partitions into wider ones, and shows how new ones are created, or changes it
    Layout(maintenance::ChangeLayout),
    /// Checks the configuration, or prints it
    Config(config::Config),
    /// Prints completions of this program's options for a shell
    Completions(completions::Completions),
}

/// Runs the command that the arguments name, and returns its exit code.
pub(crate) async fn run_named(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match config::read(Cli::command(), args) {
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
    let _guard = match logging::start(log_format) {
        Ok(guard) => guard,
        Err(err) => return exit_code(&err),
    };
    let done = match command {
        Command::Run(run) => match run.run().await {
            Ok(code) => return code,
            Err(err) => Err(err),
        },
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
        Command::Completions(completions) => completions.run(Cli::command()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            tracing::error!("{}", err.report());
            exit_code(&err)
        }
    }
}

/// The exit code for an error; the help lists them.
fn exit_code(err: &Error) -> ExitCode {
    ExitCode::from(match err.kind() {
        ErrorKind::Configuration => 3,
        ErrorKind::Schema => 4,
        ErrorKind::Unavailable => 5,
        ErrorKind::Fenced => 6,
        _ => 1,
    })
}
