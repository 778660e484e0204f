//! What is told while it loads.

use std::time::Duration;

use ecom_stream::{Counts, Progress, ProgressReceiver};

/// A line now and then, while rows come in.
pub(crate) async fn show(mut progress: ProgressReceiver) {
    const EVERY: Duration = Duration::from_secs(10);
    while let Some(progress) = progress.next().await {
        tracing::info!("{}; {}", in_words(&progress.counts), speed_in_words(&progress));
        tokio::time::sleep(EVERY).await;
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

fn in_short(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => {
            let unit = [86_400, 3_600, 60, 1]
                .into_iter()
                .find(|unit| seconds >= 100 * unit)
                .unwrap_or(1);
            humantime::format_duration(Duration::from_secs(seconds / unit * unit)).to_string()
        }
    }
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
