//! The settings of a run that determine the content of its files.

use std::sync::Arc;

use super::rolling_policy::RollingPolicy;
use crate::dirt::Dirt;
use crate::shop::Model;

/// The settings of a run that determine the content of its files.
pub(super) struct FileSettings {
    pub(super) model: Arc<Model>,
    pub(super) policy: RollingPolicy,
    pub(super) dirt: Dirt,
    pub(super) with_manifest: bool,
    /// The run ends after this many events, not counting copies, …
    pub(super) max_events: u64,
    /// … or with the last row that is delivered before this time.
    pub(super) until: i64,
    pub(super) part_bytes: usize,
}
