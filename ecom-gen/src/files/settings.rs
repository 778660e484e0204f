//! What decides how the files of a run look.

use std::sync::Arc;

use super::rolling_policy::RollingPolicy;
use crate::dirt::Dirt;
use crate::shop::Model;

/// What doesn't change while files are cut.
pub(super) struct FileSettings {
    pub(super) model: Arc<Model>,
    pub(super) policy: RollingPolicy,
    pub(super) dirt: Dirt,
    pub(super) with_manifest: bool,
    /// After so many events it ends,
    pub(super) max_events: u64,
    /// or with the last row that is delivered before.
    pub(super) until: i64,
    pub(super) part_bytes: usize,
}
