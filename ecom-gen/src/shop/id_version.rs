//! The version of the UUIDs that identify events.

/// The version of the UUIDs that events have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum IdVersion {
    /// Random.
    V4,
    /// Random after the time, so that an index on them grows at its end.
    #[default]
    V7,
}
