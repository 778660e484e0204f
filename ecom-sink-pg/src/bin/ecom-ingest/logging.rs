//! The log, on standard error.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use crate::progress::AroundTheLine;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// Lines to read
    Text,
    /// An object a line
    Json,
}

/// Starts it. The guard writes the last lines when it is dropped.
pub(crate) fn start(format: Format) -> WorkerGuard {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,refinery_core=warn"));
    // A reader of the log that stalls must not stall the ingest: lines are dropped instead.
    let (log, guard) = tracing_appender::non_blocking(AroundTheLine);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    match format {
        Format::Text => log.init(),
        Format::Json => log.json().flatten_event(true).init(),
    }
    guard
}
