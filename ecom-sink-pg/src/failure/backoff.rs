//! The delays between attempts.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// How long to wait, besides the delay between tries, while somebody has to change the database.
pub(crate) const PAUSE: Duration = Duration::from_secs(5);

/// The delays between tries: from 50 ms up to 5 s, doubled each time, with jitter, without end.
pub(crate) fn delays() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(5))
        .without_max_times()
        .build()
}
