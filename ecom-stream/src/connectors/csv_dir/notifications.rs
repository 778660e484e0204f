//! The queue of file system notifications, between the thread of inotify and the source.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use notify::EventKind;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use tokio::sync::Notify;

use crate::csv::{is_hidden, is_to_be_read};

/// What happened to a file. A later variant says more, and replaces an earlier one for the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Notification {
    /// It was created or written to.
    Written,
    /// Its writer closed it.
    Closed,
    /// It was renamed to this name.
    Renamed,
}

/// The notifications that the source has not taken yet, one a file.
///
/// The thread of inotify adds them with [`hear`](Self::hear); the source waits for them with [`wait`](Self::wait) and takes
/// all of them at once with [`take`](Self::take). Names that are never read are not kept. If there are too many names, or
/// if the system lost some, a single request to scan takes the place of all of them.
#[derive(Debug, Default)]
pub(super) struct Notifications {
    pending: Mutex<Pending>,
    wake: Notify,
}

/// What was reported since the last call of [`Notifications::take`].
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) names: BTreeMap<OsString, Notification>,
    /// Whether notifications were lost, so that only a scan can find what changed.
    pub(super) rescan: bool,
}

/// With more names than this a scan is cheaper.
const MAX_NAMES: usize = 16_384;

impl Notifications {
    /// Completes when there is something to [`take`](Self::take).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the notifications stay until they are taken.
    pub(super) async fn wait(&self) {
        self.wake.notified().await;
    }

    /// Takes everything that was reported so far.
    pub(super) fn take(&self) -> Pending {
        std::mem::take(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds an event of the system about something in `directory` or below it.
    pub(super) fn hear(&self, directory: &Path, event: notify::Result<notify::Event>) {
        let mut event = match event {
            Ok(event) if event.need_rescan() => return self.request_scan(),
            Ok(event) => event,
            Err(err) => {
                tracing::warn!("a file system notification was lost; scanning the directory instead: {err}");
                return self.request_scan();
            }
        };
        let notification = match event.kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => Notification::Renamed,
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Notification::Closed,
            EventKind::Create(_) | EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => Notification::Written,
            // This includes the reads of the source itself.
            _ => return,
        };
        // A rename within the directory has two paths, the new name last.
        let Some(path) = event.paths.pop() else { return };
        let Ok(name) = path.strip_prefix(directory) else { return };
        // Files that were put into a new directory before it was watched were not reported.
        let is_whole = matches!(notification, Notification::Renamed) || matches!(event.kind, EventKind::Create(_));
        if is_whole && !is_hidden(name.as_os_str()) && path.is_dir() {
            return self.request_scan();
        }
        self.add(name.into(), notification);
    }

    /// Adds what happened to the file of that name.
    pub(super) fn add(&self, name: OsString, notification: Notification) {
        if !is_to_be_read(&name) {
            return;
        }
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pending.names.get(&name).copied();
        if known.is_some_and(|known| known >= notification) {
            return;
        }
        pending.names.insert(name, notification);
        if pending.names.len() > MAX_NAMES {
            pending.names.clear();
            pending.rescan = true;
        }
        self.wake.notify_one();
    }

    /// Asks for a scan, since some changes were not reported.
    pub(super) fn request_scan(&self) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).rescan = true;
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_notifications_become_one_scan() {
        let notifications = Notifications::default();
        let event = |n: usize| {
            let kind = EventKind::Create(notify::event::CreateKind::File);
            Ok(notify::Event::new(kind).add_path(format!("/d/{n}.csv").into()))
        };
        for n in 0..=MAX_NAMES {
            notifications.hear(Path::new("/d"), event(n));
        }
        let pending = notifications.pending.lock().unwrap();
        assert!(pending.rescan);
        assert!(pending.names.is_empty());
    }
}
