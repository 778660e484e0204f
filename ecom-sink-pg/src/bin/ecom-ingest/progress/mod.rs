//! What is told while it loads: lines, or one live line on a terminal, or JSON.

mod live;
mod total;

use std::io::IsTerminal;
use std::time::Duration;

use clap::ValueEnum;
use ecom_stream::{Counts, Progress, ProgressReceiver, QueryProgress};

use crate::words::in_short;

pub(crate) use live::{AroundTheLine, Live};
pub(crate) use total::{Total, bytes_to_read, count_csv_files};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A live line on a terminal, plain lines in the log otherwise
    Auto,
    /// Plain lines in the log
    Plain,
    /// An object a line on standard output, with the field names of Spark's StreamingQueryProgress
    Json,
    /// Nothing
    None,
}

/// Tells of progress until the run ends.
pub(crate) async fn show(form: Form, progress: ProgressReceiver, told: QueryProgress, total: Total) {
    match form {
        Form::Auto if std::io::stderr().is_terminal() => Live::new(total).show(progress).await,
        Form::Auto | Form::Plain => in_lines(progress).await,
        Form::Json => in_json(progress, told).await,
        Form::None => {}
    }
}

/// A line now and then, while rows come in.
async fn in_lines(mut progress: ProgressReceiver) {
    const EVERY: Duration = Duration::from_secs(10);
    while let Some(progress) = progress.next().await {
        tracing::info!("{}; {}", in_words(&progress.counts), speed_in_words(&progress));
        tokio::time::sleep(EVERY).await;
    }
}

async fn in_json(mut progress: ProgressReceiver, mut told: QueryProgress) {
    const AT_MOST_EVERY: Duration = Duration::from_millis(100);
    while let Some(progress) = progress.next().await {
        match crate::output::show(&format!("{}\n", told.of(&progress))) {
            Ok(true) => {}
            Ok(false) => return,
            Err(err) => {
                tracing::warn!("no more progress: {}", err.report());
                return;
            }
        }
        tokio::time::sleep(AT_MOST_EVERY).await;
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

pub(crate) fn in_words(counts: &Counts) -> String {
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
