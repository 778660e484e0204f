//! The program `ecom-gen`: a simulated shop that writes its events into CSV files.
#![allow(clippy::print_stderr)]

mod args;
mod units;

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use ecom_gen::ShopSource;
use ecom_stream::{CsvDirSink, Result, SourceExt, Summary, stop_signal};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use time::{OffsetDateTime, UtcOffset};
use tracing_subscriber::EnvFilter;

use self::args::Args;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false)
        .without_time()
        .init();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("ecom-gen: {}", err.report());
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<()> {
    let stop = stop_signal()?;
    let seed = args.seed.unwrap_or_else(|| rand::random::<u32>().into());
    let start = args.start(OffsetDateTime::now_utc());
    eprintln!("{}", args.describe(seed, start));

    let source = ShopSource::new(args.shop(seed, start))
        .pace(args.pace())
        .events(args.events);
    let mut sink = CsvDirSink::new(&args.output)
        .prefix(prefix(start))
        .roll_every(args.roll_every())
        .roll_seed(seed);
    if let Some(rows) = args.rows_per_file {
        sink = sink.max_rows(rows.get());
    }
    let bar = progress_bar(args.events);
    let began = Instant::now();
    let shown = bar.clone();
    let pipeline = source.to(sink);
    let mut progress = pipeline.subscribe();
    tokio::spawn(async move {
        while let Some(progress) = progress.next().await {
            shown.set_position(progress.counts.stored);
        }
    });
    let summary = pipeline.run_until(stop).await;
    bar.finish_and_clear();
    let summary = summary?;
    eprintln!("{}", closing_line(&summary, began.elapsed().as_secs_f64(), &args));
    Ok(())
}

/// What the names of the files begin with: another one in each run, so that a file that was moved away in between is never
/// taken for one with new content.
fn prefix(start: OffsetDateTime) -> String {
    let start = start.to_offset(UtcOffset::UTC);
    let (date, time) = (start.date(), start.time());
    format!(
        "events-{}{:02}{:02}T{:02}{:02}{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// Draws nothing unless stderr is a terminal.
fn progress_bar(events: Option<u64>) -> ProgressBar {
    let (bar, template) = match events {
        Some(events) => (
            ProgressBar::new(events),
            "{bar:32} {human_pos} of {human_len} events, {per_sec}, {eta} to go",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {human_pos} events, {per_sec}, {elapsed}",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn closing_line(summary: &Summary, seconds: f64, args: &Args) -> String {
    let events = summary.counts.stored;
    format!(
        "{}: {} events in {seconds:.1} s ({}/s), in {}",
        if summary.stopped { "stopped" } else { "done" },
        HumanCount(events),
        HumanCount((events as f64 / seconds.max(1e-3)) as u64),
        args.output.display()
    )
}
