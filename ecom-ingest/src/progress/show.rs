//! Shows the progress of a run in the form that was chosen.

use std::time::Duration;

use clap::ValueEnum;
use ecom_stream::{Error, ProgressReceiver, QueryProgress};

use super::live::LiveLine;
use super::total::Total;
use super::words::{counts_in_words, speed_in_words};
use crate::format::printable;
use crate::output::BackgroundWriter;
use crate::terminal::can_redraw;

/// How progress is shown
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum Form {
    /// A live line on a terminal, plain lines in the log otherwise
    #[default]
    Auto,
    /// Plain lines in the log
    Plain,
    /// One object per line on standard output, with the field names of Spark's StreamingQueryProgress
    Json,
    /// Nothing
    None,
}

/// Shows progress until the run ends. `query_progress` names the pipeline in JSON; `total` is how
/// much there is to read, for the live line.
///
/// # Cancel safety
///
/// Nothing is lost when the future is dropped; a live line disappears from the screen.
pub async fn show(form: Form, progress: ProgressReceiver, query_progress: QueryProgress, total: Total) {
    match form {
        Form::Auto if can_redraw(&std::io::stderr()) => LiveLine::new(total).show(progress).await,
        Form::Auto | Form::Plain => in_lines(progress).await,
        Form::Json => in_json(progress, query_progress).await,
        Form::None => {}
    }
}

/// Logs a line every ten seconds, while rows come in.
async fn in_lines(mut progress: ProgressReceiver) {
    const EVERY: Duration = Duration::from_secs(10);
    while let Some(progress) = progress.next().await {
        tracing::info!("{}; {}", counts_in_words(&progress.counts), speed_in_words(&progress));
        tokio::time::sleep(EVERY).await;
    }
}

/// Prints an object for each commit, at most ten a second. While the reader stalls, nothing is printed; the next object then
/// counts all that came meanwhile.
async fn in_json(mut progress: ProgressReceiver, mut query_progress: QueryProgress) {
    const AT_MOST_EVERY: Duration = Duration::from_millis(100);
    let stops = |err: Error| tracing::warn!("progress is no longer printed: {}", err.report());
    let writer = match BackgroundWriter::start() {
        Ok(writer) => writer,
        Err(err) => return stops(err),
    };
    while let Some(progress) = progress.next().await {
        let object = query_progress.of(&progress).to_string();
        match writer.show(format!("{}\n", printable(&object))).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(err) => return stops(err),
        }
        tokio::time::sleep(AT_MOST_EVERY).await;
    }
}
