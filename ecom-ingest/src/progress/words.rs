//! Progress and counts as text.

use ecom_stream::{Counts, Progress};

use crate::format::duration;

/// The rate, and the lag behind the files and the newest event.
pub(super) fn speed_in_words(progress: &Progress) -> String {
    let lag = &progress.lag;
    let mut words = format!("{:.0}/s", progress.rows_per_s.recent);
    for (lag, of) in [(lag.oldest_input, "files"), (lag.newest_event, "newest event")] {
        if let Some(lag) = lag {
            words.push_str(&format!(", {} behind the {of}", duration(lag)));
        }
    }
    if !lag.ahead.is_zero() {
        words.push_str(&format!(
            ", which is {} ahead of this machine's clock",
            duration(lag.ahead)
        ));
    }
    words
}

/// Counts in words.
///
/// # Examples
///
/// ```
/// use ecom_ingest::progress::counts_in_words;
/// use ecom_stream::Counts;
///
/// let mut counts = Counts::default();
/// (counts.read, counts.stored, counts.duplicates) = (3, 2, 1);
/// assert_eq!(counts_in_words(&counts), "3 records read: 2 stored, 1 duplicates, 0 rejected");
/// ```
pub fn counts_in_words(counts: &Counts) -> String {
    let Counts {
        read,
        stored,
        duplicates,
        rejected,
        filtered,
        ..
    } = counts;
    let mut words = format!("{read} records read: {stored} stored, {duplicates} duplicates, {rejected} rejected");
    if *filtered > 0 {
        words.push_str(&format!(", {filtered} filtered"));
    }
    words
}
