//! The pace at which events are handed out, and the shop's clock.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::micros::micros;

/// When an event is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Pace {
    /// In real time: at the time at which it is delivered. A shop that starts in the past first catches up, as fast as
    /// possible.
    #[default]
    Live,
    /// With a clock that begins at the shop's start and runs this many times as fast as real time; the factor must be
    /// above 0.
    Times(f64),
    /// At once, regardless of its time.
    AsFastAsPossible,
}

/// Returns the current time.
pub(crate) type Now = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// How long a live source waits for more events. The minimum lets events accumulate to a batch; the maximum lets the
/// source notice that the system clock was set.
const MIN_WAIT: Duration = Duration::from_millis(20);
const MAX_WAIT: Duration = Duration::from_millis(100);

/// The shop's clock.
#[derive(Clone)]
pub(crate) struct ShopClock {
    pace: Pace,
    now: Now,
    /// The real time and the shop's time at the start of the clock.
    started: (i64, i64),
}

impl ShopClock {
    /// Starts the clock. Unless the pace is [`Pace::Live`], it begins at `shop_micros`.
    pub(crate) fn start(pace: Pace, now: Now, shop_micros: i64) -> Self {
        let started = (micros(now()), shop_micros);
        Self { pace, now, started }
    }

    /// The time that the clock shows. Events up to this time are due.
    pub(crate) fn micros(&self) -> i64 {
        let now = || micros((self.now)());
        match self.pace {
            Pace::Live => now(),
            Pace::Times(speed) => {
                let passed = (now() - self.started.0).max(0) as f64 * speed;
                self.started.1.saturating_add(passed as i64)
            }
            Pace::AsFastAsPossible => i64::MAX,
        }
    }

    /// How long to wait until the clock shows about `micros`.
    pub(crate) fn wait(&self, micros: i64) -> Duration {
        let speed = match self.pace {
            Pace::Times(speed) => speed,
            Pace::Live | Pace::AsFastAsPossible => 1.0,
        };
        let ahead = micros.saturating_sub(self.micros()).max(0) as f64 / 1e6 / speed;
        Duration::try_from_secs_f64(ahead)
            .unwrap_or(MAX_WAIT)
            .clamp(MIN_WAIT, MAX_WAIT)
    }
}

impl fmt::Debug for ShopClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShopClock")
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[test]
    fn the_clock_follows_the_pace() {
        let real = Arc::new(AtomicI64::new(1_000));
        let now: Now = {
            let real = real.clone();
            Arc::new(move || OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(real.load(Ordering::Relaxed)))
        };
        let clock = |pace| ShopClock::start(pace, now.clone(), 50_000_000);
        let (live, times) = (clock(Pace::Live), clock(Pace::Times(60.0)));
        assert_eq!((live.micros(), times.micros()), (1_000_000_000, 50_000_000));
        real.store(1_010, Ordering::Relaxed);
        assert_eq!((live.micros(), times.micros()), (1_010_000_000, 650_000_000));
        assert_eq!(times.wait(653_000_000), Duration::from_millis(50));
        assert_eq!(live.wait(653_000_000_000), MAX_WAIT);
        // The clock is set back.
        real.store(900, Ordering::Relaxed);
        assert_eq!(times.micros(), 50_000_000);
        assert_eq!(clock(Pace::AsFastAsPossible).micros(), i64::MAX);
    }
}
