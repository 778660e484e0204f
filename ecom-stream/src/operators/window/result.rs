//! What windows emit: [`Windowed`] results, each of a [`Window`], with the reason why it comes ([`Firing`]).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::operators::event_time::Timestamp;

/// A span of event time, from its start (inclusive) to its end (exclusive).
///
/// ```
/// use ecom_stream::Timestamp;
/// use ecom_stream::operators::Window;
///
/// let minute = Window::new(Timestamp::from_micros(0), Timestamp::from_micros(60_000_000));
/// assert_eq!(minute.last().as_micros(), 59_999_999);
/// assert_eq!(minute.to_string(), "1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Window {
    /// The first time that is in the window.
    pub start: Timestamp,
    /// The first time after the window.
    pub end: Timestamp,
}

impl Window {
    /// The span from `start` up to but without `end`.
    pub fn new(start: Timestamp, end: Timestamp) -> Self {
        Self { start, end }
    }

    /// The last time that is in the window, a microsecond before its end. Use it as the event time of results that are put
    /// into windows again.
    pub fn last(self) -> Timestamp {
        Timestamp::from_micros(self.end.as_micros().saturating_sub(1))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.start, self.end)
    }
}

/// The result of one window for one key. A later result for the same key and window replaces it.
///
/// It is a record without an origin, so it takes no part in the balance of counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Windowed<K, V> {
    /// The key of the records.
    pub key: K,
    /// The window that the records are in.
    pub window: Window,
    /// What the aggregate made of the records.
    pub value: V,
    /// Why the result was emitted.
    pub firing: Firing,
}

impl<K, V> Windowed<K, V> {
    /// The result of `window` for `key`.
    pub fn new(key: K, window: Window, value: V, firing: Firing) -> Self {
        Self {
            key,
            window,
            value,
            firing,
        }
    }
}

/// Why the result of a window is emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Firing {
    /// The window is still open and this is its result so far. See [`Windows::early`](crate::operators::Windows::early).
    Early,
    /// The watermark has passed the end of the window, or the last run has ended.
    OnTime,
    /// A late record has been added, within the
    /// [allowed lateness](crate::operators::Windows::allowed_lateness).
    Late,
}
