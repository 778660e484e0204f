//! The delays between attempts.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// How long to wait for somebody to mend the database, besides the delay between tries.
pub(crate) const PAUSE: Duration = Duration::from_secs(5);

/// Delays between tries, with jitter, for ever.
pub(crate) fn delays() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(5))
        .without_max_times()
        .build()
}
