use serde::{Deserialize, Serialize};

use crate::operators::event_time::Timestamp;

/// A value with the time at which it happened, and how far event time had come when it was read.
///
/// [`event_time`](crate::SourceExt::event_time) makes these; whatever works by event time takes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Timed<T> {
    /// The value.
    pub value: T,
    /// When it happened.
    pub time: Timestamp,
    /// The watermark, with this record: no event older than this is expected any more. It never goes back from one record
    /// to the next.
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

    /// Whether it is older than the watermark.
    pub fn is_late(&self) -> bool {
        self.time < self.watermark
    }

    /// The same time and watermark with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Timed<U> {
        Timed {
            value: f(self.value),
            time: self.time,
            watermark: self.watermark,
        }
    }
}
