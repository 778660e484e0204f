//! The queue of file system notifications, between the thread of inotify and the source.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use notify::EventKind;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use tokio::sync::Notify;

use super::scan::REMOVING_PREFIX;
use crate::csv::{NamePatterns, is_hidden};

/// What happened to a file. A later variant says more, and replaces an earlier one for the same file; but a file that is written
/// to after it was renamed was not complete, and a file that is renamed to a name takes the place of the one that had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Notification {
    /// It was created or written to.
    Written,
    /// Its writer closed it.
    Closed,
    /// It was renamed from a name under which it was read, and its writer may go on.
    RenamedWithin,
    /// It was renamed to this name, from elsewhere or from a name that is not read.
    Renamed,
}

/// The notifications that the source has not taken yet, one a file.
///
/// The thread of inotify adds them with [`hear`](Self::hear); the source waits for them with [`wait`](Self::wait) and takes
/// all of them at once with [`take`](Self::take). Names that are never read are not kept. If there are too many names, or
/// if the system lost some, a single request to scan takes the place of all of them.
#[derive(Debug, Default)]
pub(super) struct Notifications {
    names: NamePatterns,
    pending: Mutex<Pending>,
    wake: Notify,
}

/// What was reported since the last call of [`Notifications::take`].
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) names: BTreeMap<OsString, Notification>,
    /// Whether notifications were lost, so that only a scan can find what changed.
    pub(super) rescan: bool,
    /// The number of the last rename of a file that was known under its former name. The system reports the new name next, by this number.
    moved: Option<usize>,
}

/// With more names than this a scan is cheaper.
const MAX_NAMES: usize = 16_384;

impl Notifications {
    /// A queue of notifications about files with names that are read.
    pub(super) fn about(names: NamePatterns) -> Self {
        Self {
            names,
            ..Self::default()
        }
    }

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
        let mut pending = self.pending();
        let moved = pending.moved;
        std::mem::replace(
            &mut *pending,
            Pending {
                moved,
                ..Pending::default()
            },
        )
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
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
        if event.kind == EventKind::Modify(ModifyKind::Name(RenameMode::From)) {
            let former = event.paths.pop();
            let former = former.as_ref().and_then(|path| path.strip_prefix(directory).ok());
            let is_known = former.is_some_and(|name| was_known(&self.names, name.as_os_str()));
            self.pending().moved = event.tracker().filter(|_| is_known);
            return;
        }
        let notification = match event.kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => {
                let moved = self.pending().moved;
                match moved.is_some() && moved == event.tracker() {
                    true => Notification::RenamedWithin,
                    false => Notification::Renamed,
                }
            }
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
        if !self.names.reads(&name) {
            return;
        }
        let mut pending = self.pending();
        let known = pending.names.get(&name).copied();
        let replaces = match (known, notification) {
            // What is written to after it was renamed in was not complete.
            (Some(Notification::Renamed), Notification::Written) => true,
            // It is another file.
            (_, Notification::RenamedWithin | Notification::Renamed) => true,
            (known, notification) => known.is_none_or(|known| known < notification),
        };
        if !replaces {
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
        self.pending().rescan = true;
        self.wake.notify_one();
    }
}

/// Whether a file of that name may have been read: the writer of such a file may go on after it is renamed.
pub(super) fn was_known(names: &NamePatterns, name: &OsStr) -> bool {
    let file = Path::new(name).file_name().unwrap_or_default();
    names.reads(name) || file.as_bytes().starts_with(REMOVING_PREFIX.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_comes_from_elsewhere_and_is_not_written_to_counts_as_renamed_in() {
        let rename = |mode, tracker, name: &str| {
            let event = notify::Event::new(EventKind::Modify(ModifyKind::Name(mode)));
            Ok(event.set_tracker(tracker).add_path(format!("/d/{name}").into()))
        };
        let written = || {
            let kind = EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any));
            Ok(notify::Event::new(kind).add_path("/d/to.csv".into()))
        };
        for (from, is_renamed_in) in [
            (None, true),
            (Some(".to.csv.tmp"), true),
            (Some("from.csv"), false),
            (Some(".ecom-aside.0.to.csv"), false),
        ] {
            let notifications = Notifications::default();
            let hear = |event| notifications.hear(Path::new("/d"), event);
            // Another file comes from a name that is read.
            hear(rename(RenameMode::From, 1, "other.csv"));
            hear(rename(RenameMode::To, 1, "last.csv"));
            if let Some(from) = from {
                hear(rename(RenameMode::From, 2, from));
            }
            hear(rename(RenameMode::To, 2, "to.csv"));
            let is = notifications.take().names[OsStr::new("to.csv")];
            assert_eq!(is == Notification::Renamed, is_renamed_in, "{from:?}");
        }

        let notifications = Notifications::default();
        notifications.hear(Path::new("/d"), rename(RenameMode::To, 3, "to.csv"));
        notifications.hear(Path::new("/d"), written());
        assert_eq!(notifications.take().names[OsStr::new("to.csv")], Notification::Written);

        // A file that was renamed in, and one of another name that takes its place.
        notifications.hear(Path::new("/d"), rename(RenameMode::To, 3, "to.csv"));
        notifications.hear(Path::new("/d"), rename(RenameMode::From, 4, "from.csv"));
        notifications.hear(Path::new("/d"), rename(RenameMode::To, 4, "to.csv"));
        let is = notifications.take().names[OsStr::new("to.csv")];
        assert_eq!(is, Notification::RenamedWithin);
    }

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
