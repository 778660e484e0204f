use std::time::Duration;

use super::slices::Slices;
use crate::contract::{Error, ErrorKind, Result, StateChange};
use crate::operators::event_time::micros;

/// Which windows there are, and when their results come out.
///
/// ```
/// use std::time::Duration;
/// use ecom_stream::operators::Windows;
///
/// let hours_every_minute = Windows::hopping(Duration::from_hours(1), Duration::from_mins(1));
/// let visits = Windows::session(Duration::from_mins(30)).allowed_lateness(Duration::from_mins(5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    pub(super) kind: Kind,
    pub(super) allowed_lateness: Duration,
    pub(super) early: Option<Duration>,
}

/// What must be the same in the next run for the state to mean the same.
pub(super) type Shape = (u8, i64, i64, i64);

/// Of hopping windows, so many may be open at one time, and one may be made of so many slices.
const MAX_OVERLAP: i64 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of a size, one every slide, from an offset on.
    Hopping {
        size: Duration,
        slide: Duration,
        offset: Duration,
    },
    Session {
        gap: Duration,
    },
}

impl Windows {
    /// Windows of `size`, one after the other. They begin at whole multiples of it since 1970-01-01 00:00 UTC.
    pub fn tumbling(size: Duration) -> Self {
        Self::hopping(size, size)
    }

    /// Windows of `size`, one every `slide`, which overlap. They begin at whole multiples of `slide`.
    ///
    /// A record is added once, to a slice of time that those of the windows share, not once a window; a window's result is
    /// merged from its slices. So a slide that divides the size is much the cheapest. A slide that is more than the size, or less
    /// than a ten-thousandth of it, or would cut it into more than 10,000 slices, is refused when the pipeline starts.
    pub fn hopping(size: Duration, slide: Duration) -> Self {
        Self::new(Kind::Hopping {
            size,
            slide,
            offset: Duration::ZERO,
        })
    }

    /// Windows of a key that go on for as long as its records come less than `gap` apart. One ends `gap` after its last
    /// record.
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

    /// Moves the beginnings of tumbling and hopping windows by `offset`: for days of a time zone that is ahead of UTC by two
    /// hours, by 22 hours. SessionOperator have no use for it.
    #[must_use]
    pub fn offset(mut self, by: Duration) -> Self {
        if let Kind::Hopping { offset, .. } = &mut self.kind {
            *offset = by;
        }
        self
    }

    /// Keeps a window for so long (of event time) behind its end: a record that comes for it then is not late but updates its
    /// result, which comes out again, as [`Firing::Late`](crate::operators::Firing::Late). None by default: what comes for a window
    /// that is closed is late.
    ///
    /// A session that such a record makes longer replaces the results of those that it joins, which began elsewhere.
    #[must_use]
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.allowed_lateness = lateness;
        self
    }

    /// Lets results so far come out early, as [`Firing::Early`](crate::operators::Firing::Early), each time the watermark passes a
    /// whole multiple of `every`: those of the keys that changed since the last time.
    ///
    /// Like late ones they are to be replaced by those that follow. Windows of windows would count each of them.
    #[must_use]
    pub fn early(mut self, every: Duration) -> Self {
        self.early = Some(every);
        self
    }

    /// Whether early results are due when the watermark gets from the one to the other.
    pub(super) fn fires_early(&self, from: i64, to: i64) -> bool {
        self.early.is_some_and(|every| {
            let every = micros(every).max(1);
            from.div_euclid(every) != to.div_euclid(every)
        })
    }

    pub(super) fn check(&self) -> Result<()> {
        let refused = |what: String, hint: &'static str| Err(Error::new(ErrorKind::Configuration, what).hint(hint));
        match self.kind {
            Kind::Hopping { size, slide, .. } if micros(slide) == 0 || micros(size) == 0 => refused(
                format!("windows of {size:?} every {slide:?}"),
                "both must be a microsecond or more",
            ),
            Kind::Hopping { size, slide, .. } if slide > size => refused(
                format!("windows of {size:?} every {slide:?} leave gaps"),
                "the slide must not be more than the size",
            ),
            Kind::Hopping { size, slide, .. } if micros(size) / micros(slide) > MAX_OVERLAP => refused(
                format!(
                    "windows of {size:?} every {slide:?}: {} would overlap",
                    micros(size) / micros(slide)
                ),
                "up to 10,000 may, so choose a longer slide",
            ),
            Kind::Hopping { size, slide, offset } if Slices::new(size, slide, offset).of_window() > MAX_OVERLAP => {
                refused(
                    format!(
                        "windows of {size:?} every {slide:?}: each would be made of {} slices",
                        Slices::new(size, slide, offset).of_window()
                    ),
                    "up to 10,000 may, so choose a slide that goes into the size, or nearly",
                )
            }
            Kind::Session { gap } if micros(gap) == 0 => refused(
                "sessions with a gap of nothing".into(),
                "the gap must be a microsecond or more",
            ),
            _ if self.early.is_some_and(|every| micros(every) == 0) => {
                refused("early results every nothing".into(), "it must be a microsecond or more")
            }
            _ => Ok(()),
        }
    }

    pub(super) fn shape(&self) -> Shape {
        match self.kind {
            Kind::Hopping { size, slide, offset } => (0, micros(size), micros(slide), micros(offset)),
            Kind::Session { gap } => (1, micros(gap), 0, 0),
        }
    }

    /// Checks that the state is of windows of the same shape.
    pub(super) fn check_shape(&self, entry: &StateChange, was: Shape) -> Result<()> {
        if was == self.shape() {
            return Ok(());
        }
        let message = format!("the state of operator {:?} is of other windows", entry.operator);
        Err(Error::new(ErrorKind::Configuration, message)
            .hint("give it another name to begin anew, or run it with the windows it had until all are closed"))
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
            (Windows::hopping(hour, Duration::from_millis(1)), "up to 10,000 may"),
            (
                Windows::hopping(hour, hour - Duration::from_micros(1)),
                "a slide that goes into the size",
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
