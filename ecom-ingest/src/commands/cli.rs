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
    /// A file with options, in TOML: `input = "/srv/shop"` at the top goes for every command, and below [run] for that one
    #[arg(long, value_name = "FILE", env = "ECOM_CONFIG", global = true)]
    config: Option<PathBuf>,

    /// How the log is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text", global = true)]
    log_format: logging::Format,

    #[command(subcommand)]
    command: Command,
}

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
