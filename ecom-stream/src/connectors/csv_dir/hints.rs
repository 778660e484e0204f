use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use notify::EventKind;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use tokio::sync::Notify;

use crate::csv::{is_hidden, is_to_be_read};

/// What was seen to happen to a file. The later ones say more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hint {
    /// It was created or written to.
    Touched,
    /// Its writer closed it.
    Closed,
    /// It was renamed to this name.
    Renamed,
}

/// Where what happens is noted.
#[derive(Debug, Default)]
pub(super) struct Hints {
    pending: Mutex<Pending>,
    wake: Notify,
}

/// What was heard since it was last taken.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) names: BTreeMap<OsString, Hint>,
    /// Something was lost: only a scan can tell what.
    pub(super) rescan: bool,
}

/// More names than this are cheaper to scan for.
const MAX_NAMES: usize = 16_384;

impl Hints {
    /// Completes when there is something to [`take`](Self::take). Cancel-safe.
    pub(super) async fn wait(&self) {
        self.wake.notified().await;
    }

    pub(super) fn take(&self) -> Pending {
        std::mem::take(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hears of an event of the system in `directory`, or below it.
    pub(super) fn hear(&self, directory: &Path, event: notify::Result<notify::Event>) {
        let mut event = match event {
            Ok(event) if event.need_rescan() => return self.lost(),
            Ok(event) => event,
            Err(err) => {
                tracing::warn!("a notification was lost, scanning instead: {err}");
                return self.lost();
            }
        };
        let hint = match event.kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => Hint::Renamed,
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Hint::Closed,
            EventKind::Create(_) | EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => Hint::Touched,
            // Among others our own opening and closing of the files.
            _ => return,
        };
        // Of a renaming within the directory the new name is the last.
        let Some(path) = event.paths.pop() else { return };
        let Ok(name) = path.strip_prefix(directory) else { return };
        // Nobody listened yet when the first files were made in a new directory.
        let is_whole = matches!(hint, Hint::Renamed) || matches!(event.kind, EventKind::Create(_));
        if is_whole && !is_hidden(name.as_os_str()) && path.is_dir() {
            return self.lost();
        }
        self.note(name.into(), hint);
    }

    /// Something happened to a file.
    pub(super) fn note(&self, name: OsString, hint: Hint) {
        if !is_to_be_read(&name) {
            return;
        }
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pending.names.get(&name).copied();
        if known.is_some_and(|known| known >= hint) {
            return;
        }
        pending.names.insert(name, hint);
        if pending.names.len() > MAX_NAMES {
            pending.names.clear();
            pending.rescan = true;
        }
        self.wake.notify_one();
    }

    /// Something happened that nobody knows of.
    pub(super) fn lost(&self) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).rescan = true;
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_to_remember_becomes_a_scan() {
        let hints = Hints::default();
        let event = |n: usize| {
            let kind = EventKind::Create(notify::event::CreateKind::File);
            Ok(notify::Event::new(kind).add_path(format!("/d/{n}.csv").into()))
        };
        for n in 0..=MAX_NAMES {
            hints.hear(Path::new("/d"), event(n));
        }
        let pending = hints.pending.lock().unwrap();
        assert!(pending.rescan);
        assert!(pending.names.is_empty());
    }
}
