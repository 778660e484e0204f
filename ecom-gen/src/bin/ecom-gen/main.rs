//! The program `ecom-gen`: a simulated shop that writes its events into CSV files.

mod args;
mod dirt_arg;
mod print;
mod run;
mod scenario_arg;
mod units;

use std::env;
use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use ecom_gen::FilesSink;
use ecom_stream::{ErrorKind, Result, SourceExt, Summary, stop_signal};
use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use time::OffsetDateTime;
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;

use self::args::{Args, Command, GenerateArgs};
use self::run::Run;

fn main() -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(err) => {
            print_status(format_args!("ecom-gen: cannot start its threads: {err}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run_named());
    // A thread that waits for a reader of stderr does not keep the program.
    runtime.shutdown_background();
    code
}

/// Runs the command that the arguments name, and returns its exit code.
async fn run_named() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal() && !is_set("NO_COLOR") && !is_dumb())
        .with_target(false)
        .without_time()
        // An internal error means that stderr cannot be written to, so it cannot be reported there either.
        .log_internal_errors(false)
        .init();
    let done = match args.command {
        None => generate(&args.generate).await,
        Some(Command::Profile(args)) => print::print(&args),
        Some(Command::Parameters { wholesale }) => print::print_parameters(wholesale),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            print_status(format_args!("ecom-gen: {}", err.report()));
            match err.kind() {
                ErrorKind::Configuration => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

async fn generate(args: &GenerateArgs) -> Result<()> {
    let stop = stop_signal()?;
    let run = Run::new(args, OffsetDateTime::now_utc())?;
    print_status(run.describe(args.output()));

    let sink = FilesSink::new(args.output()).prefix(run.prefix());
    let bar = progress_bar(run.expected_rows(args));
    let began = Instant::now();
    let shown = bar.clone();
    let pipeline = run.source(args).to(sink);
    let mut progress = pipeline.subscribe();
    tokio::spawn(async move {
        while let Some(progress) = progress.next().await {
            shown.set_position(progress.counts.stored);
        }
    });
    let summary = pipeline.run_until(stop).await;
    bar.finish_and_clear();
    let summary = summary?;
    print_status(summary_line(&summary, began.elapsed().as_secs_f64(), args));
    Ok(())
}

/// Prints a line to stderr. If stderr is closed, the program continues and still writes the files.
fn print_status(what: impl Display) {
    let _ = writeln!(stderr(), "{what}");
}

/// Whether a variable is set to anything but nothing.
fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Whether the terminal only appends characters, such as that of an editor.
fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// A progress bar, which is visible only if stderr is a terminal that can redraw a line.
fn progress_bar(events: Option<u64>) -> ProgressBar {
    if is_dumb() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match events {
        Some(events) => (
            ProgressBar::new(events),
            "{wide_bar} {human_pos} of {human_len} rows, {rate}, {eta} to go",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {human_pos} rows, {rate}, {elapsed}",
        ),
    };
    let rate = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        // If the text cannot be written, the bar shows no rate.
        let _ = write!(text, "{}/s", HumanCount(state.per_sec() as u64));
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.with_key("rate", rate)),
        Err(_) => bar,
    }
}

fn summary_line(summary: &Summary, seconds: f64, args: &GenerateArgs) -> String {
    let events = summary.counts.stored;
    format!(
        "{}: {} events in {seconds:.1} s ({}/s), in {}",
        if summary.stopped { "stopped" } else { "done" },
        HumanCount(events),
        HumanCount((events as f64 / seconds.max(1e-3)) as u64),
        args.output().display()
    )
}
