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
/// let timed = Timed { value: "view", time: Timestamp::from_micros(5), watermark: Timestamp::from_micros(9) };
/// assert!(timed.is_late());
/// assert_eq!(timed.map(str::len).value, 4);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timed<T> {
    /// The value.
    pub value: T,
    /// The time at which it happened.
    pub time: Timestamp,
    /// The watermark as of this record: no older record is expected any more. It never decreases from one record to the next.
    pub watermark: Timestamp,
}

impl<T> Timed<T> {
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
