//! [`Timed`]: a value with its event time and the watermark.

use serde::{Deserialize, Serialize};

use crate::operators::event_time::Timestamp;

/// A value with the time at which it happened, and the watermark when it was read.
///
/// [`event_time`](crate::SourceExt::event_time) makes these. Every operator that works by event time takes them.
///
/// ```
/// use ecom_stream::{Timed, Timestamp};
///
/// let timed = Timed::new("view", Timestamp::from_micros(5), Timestamp::from_micros(9));
/// assert!(timed.is_late());
/// assert_eq!(timed.map(str::len).value, 4);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Timed<T> {
    /// The value.
    pub value: T,
    /// The time at which it happened.
    pub time: Timestamp,
    /// The watermark as of this record: no older record is expected any more. It never decreases from one record to the next.
    pub watermark: Timestamp,
}

/// A record that has an event time: [`Timed`], and nothing else.
///
/// Windows, joins and state by key take such records. [`SourceExt::event_time`](crate::SourceExt::event_time) makes them.
#[diagnostic::on_unimplemented(
    message = "the records have no event time: `{Self}` is not `Timed`",
    label = "call `.event_time(…)` before this",
    note = "windows, joins and state by key work on `Timed` records, which `SourceExt::event_time` makes of others"
)]
pub trait HasEventTime: sealed::Sealed {
    /// The value without its time.
    type Value;
}

impl<T> HasEventTime for Timed<T> {
    type Value = T;
}

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "the records have no event time: `{Self}` is not `Timed`",
        label = "call `.event_time(…)` before this"
    )]
    pub trait Sealed {}
    impl<T> Sealed for super::Timed<T> {}
}

impl<T> Timed<T> {
    /// A value that happened at `time`, read when the watermark was `watermark`. [`event_time`](crate::SourceExt::event_time)
    /// makes these; this one is for tests.
    pub fn new(value: T, time: Timestamp, watermark: Timestamp) -> Self {
        Self { value, time, watermark }
    }

    /// Returns whether it is older than the watermark. An operator may still accept it: see
    /// [`allowed_lateness`](crate::operators::Windows::allowed_lateness).
    pub fn is_late(&self) -> bool {
        self.time < self.watermark
    }

    /// Returns what `f` makes of the value, with the same time and watermark.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Timed<U> {
        Timed {
            value: f(self.value),
            time: self.time,
            watermark: self.watermark,
        }
    }
}
