use std::fmt;

use serde::{Deserialize, Serialize};

use crate::operators::event_time::Timestamp;

/// A span of event time, from its start up to but without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Window {
    /// The first time in it.
    pub start: Timestamp,
    /// The first time behind it.
    pub end: Timestamp,
}

impl Window {
    /// The span from `start` up to but without `end`.
    pub fn new(start: Timestamp, end: Timestamp) -> Self {
        Self { start, end }
    }

    /// The last time in it: the event time of its result, where windows of windows are made.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Windowed<K, V> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Window,
    /// What the aggregate made of its records.
    pub value: V,
    /// Why it came out now.
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

/// Why the result of a window comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Firing {
    /// The window is still open, and this is its result so far: see [`Windows::early`](crate::operators::Windows::early).
    Early,
    /// The watermark has passed its end, or it is the end of the last run.
    OnTime,
    /// A late record came in, within the allowed lateness.
    Late,
}
