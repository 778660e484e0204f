//! The version of the UUIDs that identify events.

/// The version of the UUIDs that identify events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum IdVersion {
    /// Random.
    V4,
    /// A timestamp followed by random bits, so that new ids go to the end of an index.
    #[default]
    V7,
}
