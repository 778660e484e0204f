//! [`Windows`]: the settings of windows, and their checks.

use std::time::Duration;

use super::slices::Slices;
use crate::contract::{Error, ErrorKind, Result, StateChange};
use crate::operators::event_time::micros;

/// The settings of windows: which there are, and when their results are emitted.
///
/// Settings that can't work are refused when a run starts, with
/// [`ErrorKind::Configuration`].
///
/// ```
/// use std::time::Duration;
/// use ecom_stream::operators::Windows;
///
/// let hours_every_minute = Windows::hopping(Duration::from_hours(1), Duration::from_mins(1));
/// let visits = Windows::session(Duration::from_mins(30)).allowed_lateness(Duration::from_mins(5));
/// assert_ne!(hours_every_minute, visits);
/// assert_eq!(Windows::tumbling(Duration::from_hours(1)), Windows::hopping(Duration::from_hours(1), Duration::from_hours(1)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    pub(super) kind: Kind,
    pub(super) allowed_lateness: Duration,
    pub(super) early: Option<Duration>,
}

/// What must be the same in the next run for the state to mean the same: the kind, and up to three times in microseconds.
/// It is part of the state.
pub(super) type Shape = (u8, i64, i64, i64);

/// How many hopping windows may overlap, and of how many slices a window may be made.
const MAX_OVERLAP: i64 = 10_000;

/// The kinds of windows. A tumbling window is a hopping one whose slide is its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A window of `size` begins every `slide`, at multiples of `slide` plus `offset`.
    Hopping {
        size: Duration,
        slide: Duration,
        offset: Duration,
    },
    /// The windows of a key last until it has had no record for `gap`.
    Session { gap: Duration },
}

impl Windows {
    /// Windows of `size`, one after the other. They begin at whole multiples of `size` since 1970-01-01 00:00 UTC.
    pub fn tumbling(size: Duration) -> Self {
        Self::hopping(size, size)
    }

    /// Overlapping windows of `size`, one every `slide`. They begin at whole multiples of `slide` since 1970-01-01 00:00 UTC.
    ///
    /// A record is added once, to a slice of time that several windows share. The result of a window is merged from its slices.
    /// A slide that divides the size makes the fewest slices and is by far the cheapest.
    ///
    /// These are refused when a run starts: a size or slide of less than a microsecond, a slide longer than the size, and a slide
    /// with which more than 10,000 windows would overlap or a window would be made of more than 10,000 slices.
    pub fn hopping(size: Duration, slide: Duration) -> Self {
        Self::new(Kind::Hopping {
            size,
            slide,
            offset: Duration::ZERO,
        })
    }

    /// Windows of a key that last as long as its records are less than `gap` apart. A window ends `gap` after its last record.
    pub fn session(gap: Duration) -> Self {
        Self::new(Kind::Session { gap })
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            allowed_lateness: Duration::ZERO,
            early: None,
        }
    }

    /// Moves the beginnings of tumbling and hopping windows later by `by`. For days in a time zone two hours ahead of UTC, for
    /// example, that is 22 hours. It has no effect on sessions.
    #[must_use]
    pub fn offset(mut self, by: Duration) -> Self {
        if let Kind::Hopping { offset, .. } = &mut self.kind {
            *offset = by;
        }
        self
    }

    /// Keeps a window open to late records for `lateness` of event time after its end. A record that comes in that time updates
    /// the result, which is emitted again as [`Firing::Late`](crate::operators::Firing::Late). The default is zero: a record whose
    /// windows have all ended is late.
    ///
    /// A late record may extend a session or join two of them. The new result then replaces the results of the sessions that it
    /// covers, which may have another start or end.
    #[must_use]
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.allowed_lateness = lateness;
        self
    }

    /// Emits the results so far of open windows, as [`Firing::Early`](crate::operators::Firing::Early), each time the watermark passes
    /// a whole multiple of `every`. Only keys that changed since the last time are emitted.
    ///
    /// Each later result of the same key and window replaces them. A window over the results of windows would count each of them.
    #[must_use]
    pub fn early(mut self, every: Duration) -> Self {
        self.early = Some(every);
        self
    }

    /// Whether early results are due when the watermark moves from `from` to `to`.
    pub(super) fn fires_early(&self, from: i64, to: i64) -> bool {
        self.early.is_some_and(|every| {
            let every = micros(every).max(1);
            from.div_euclid(every) != to.div_euclid(every)
        })
    }

    /// Checks that windows of these settings can work.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`], with a hint of what to set instead.
    pub(super) fn check(&self) -> Result<()> {
        let refused = |what: String, hint: &'static str| Err(Error::new(ErrorKind::Configuration, what).hint(hint));
        match self.kind {
            Kind::Hopping { size, slide, .. } if micros(slide) == 0 || micros(size) == 0 => refused(
                format!("cannot make windows of {size:?} every {slide:?}"),
                "both must be a microsecond or more",
            ),
            Kind::Hopping { size, slide, .. } if slide > size => refused(
                format!("cannot make windows of {size:?} every {slide:?}: they would leave gaps"),
                "the slide must not be more than the size",
            ),
            Kind::Hopping { size, slide, .. } if micros(size) / micros(slide) > MAX_OVERLAP => refused(
                format!(
                    "cannot make windows of {size:?} every {slide:?}: {} of them would overlap",
                    micros(size) / micros(slide)
                ),
                "up to 10,000 may overlap: choose a longer slide",
            ),
            Kind::Hopping { size, slide, offset } if Slices::new(size, slide, offset).of_window() > MAX_OVERLAP => {
                refused(
                    format!(
                        "cannot make windows of {size:?} every {slide:?}: each would be made of {} slices",
                        Slices::new(size, slide, offset).of_window()
                    ),
                    "a window may be made of up to 10,000: choose a slide that divides the size, or nearly does",
                )
            }
            Kind::Session { gap } if micros(gap) == 0 => refused(
                format!("cannot make sessions with a gap of {gap:?}"),
                "the gap must be a microsecond or more",
            ),
            _ if self.early.is_some_and(|every| micros(every) == 0) => refused(
                "cannot emit early results every 0 s".into(),
                "the time between early results must be a microsecond or more",
            ),
            _ => Ok(()),
        }
    }

    /// The shape that is saved with the state. The allowed lateness and early results may change from run to run.
    pub(super) fn shape(&self) -> Shape {
        match self.kind {
            Kind::Hopping { size, slide, offset } => (0, micros(size), micros(slide), micros(offset)),
            Kind::Session { gap } => (1, micros(gap), 0, 0),
        }
    }

    /// Checks that state with the shape `was` is of windows like these. `entry` is an entry of that state, which names the
    /// operator.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the shapes differ.
    pub(super) fn check_shape(&self, entry: &StateChange, was: Shape) -> Result<()> {
        if was == self.shape() {
            return Ok(());
        }
        let message = format!(
            "the state of operator {:?} was written with other windows",
            entry.operator
        );
        Err(Error::new(ErrorKind::Configuration, message)
            .hint("give the operator another name to start with an empty state, or run it with its old windows until all are closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_windows_are_refused() {
        let (second, hour) = (Duration::from_secs(1), Duration::from_hours(1));
        for (windows, hint) in [
            (Windows::tumbling(Duration::ZERO), "a microsecond or more"),
            (Windows::tumbling(Duration::from_nanos(1)), "a microsecond or more"),
            (Windows::session(Duration::ZERO), "a microsecond or more"),
            (Windows::tumbling(hour).early(Duration::ZERO), "a microsecond or more"),
            (Windows::hopping(second, hour), "must not be more than the size"),
            (
                Windows::hopping(hour, Duration::from_millis(1)),
                "up to 10,000 may overlap",
            ),
            (
                Windows::hopping(hour, hour - Duration::from_micros(1)),
                "a slide that divides the size",
            ),
        ] {
            let err = windows.check().unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Configuration);
            assert!(err.to_string().contains(hint), "{err}");
        }
        for windows in [
            Windows::tumbling(hour),
            Windows::hopping(hour, second),
            Windows::session(second),
        ] {
            windows.early(second).allowed_lateness(hour).check().unwrap();
        }
    }
}
