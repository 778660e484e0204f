//! The log of the program, on standard error.

use clap::ValueEnum;
use ecom_stream::{Error, ErrorKind, Result};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use crate::progress::LogAboveProgress;
use crate::terminal::has_colors;

/// Writes the last lines of the log when it is dropped. Hold it until the program ends.
#[derive(Debug)]
#[must_use = "the log ends when it is dropped"]
pub struct LogGuard(#[allow(dead_code, reason = "it works by being dropped")] WorkerGuard);

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum Format {
    /// Plain text
    Text,
    /// One JSON object per line
    Json,
}

/// Starts the log of the process on standard error, at the level in `RUST_LOG`, or `info`.
///
/// It has colours on a terminal that [has them](has_colors). Lines appear above a
/// [live line](crate::progress::LiveLine). If the reader of standard error
/// stalls, lines are dropped: the log never blocks the ingest.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] when the process has a log already.
///
/// # Examples
///
/// ```
/// use ecom_ingest::logging::{self, Format};
///
/// let _log = logging::start(Format::Text)?;
/// assert!(logging::start(Format::Json).is_err(), "a process has one log");
/// # Ok::<(), ecom_stream::Error>(())
/// ```
pub fn start(format: Format) -> Result<LogGuard> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,refinery_core=warn"));
    // A reader of the log that stalls must not stall the ingest: lines are dropped instead.
    let (log, guard) = tracing_appender::non_blocking(LogAboveProgress);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log)
        .with_ansi(has_colors(&std::io::stderr()))
        .with_target(false);
    let started = match format {
        Format::Text => log.try_init(),
        Format::Json => log.json().flatten_event(true).try_init(),
    };
    match started {
        Ok(()) => Ok(LogGuard(guard)),
        Err(err) => Err(Error::new(
            ErrorKind::Configuration,
            format!("cannot start the log: {err}"),
        )),
    }
}
