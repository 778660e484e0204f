//! Listening to the file system's notifications about the directory.

use std::any::Any;
use std::sync::Arc;

use super::directory::Directory;
use super::notifications::{Notifications, Pending};
use crate::csv::NamePatterns;

/// A subscription to the notifications about a directory. They only start an early look at a file: a notification may be
/// wrong, late or lost without harm.
#[derive(Debug, Default)]
pub(super) struct Watch {
    // Dropping the listener ends it.
    listener: Option<Box<dyn Any + Send + Sync>>,
    notifications: Arc<Notifications>,
}

impl Watch {
    /// A subscription to what happens to files with these names.
    pub(super) fn of(names: NamePatterns) -> Self {
        Self {
            listener: None,
            notifications: Arc::new(Notifications::about(names)),
        }
    }

    /// Listens to `dir` from now on, instead of the directory before. If the system refuses, a warning is logged, and
    /// nothing is ever reported.
    pub(super) fn arm(&mut self, dir: &impl Directory) {
        self.listener = None;
        match dir.listen(self.notifications.clone()) {
            Ok(listener) => self.listener = Some(listener),
            Err(err) => tracing::warn!(
                "cannot watch {} for changes; new files are found by regular scans only: {err}",
                dir.path().display()
            ),
        }
    }

    /// Completes when there is something to [`take`](Self::take). It is cancel safe: nothing is lost when it is dropped.
    pub(super) async fn wait(&self) {
        self.notifications.wait().await;
    }

    /// Takes everything that was reported since the last call.
    pub(super) fn take(&self) -> Pending {
        self.notifications.take()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::disk::Disk;
    use super::super::notifications::Notification;
    use super::*;

    async fn heard(watch: &Watch, name: &str, notification: Notification) {
        loop {
            watch.wait().await;
            if watch.take().names.get(name.as_ref() as &std::ffi::OsStr) == Some(&notification) {
                return;
            }
        }
    }

    #[tokio::test]
    async fn a_rename_and_a_close_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = Watch::default();
        watch.arm(&Disk::new(dir.path()));
        fs::write(dir.path().join(".a.tmp"), "x").unwrap();
        fs::rename(dir.path().join(".a.tmp"), dir.path().join("a.csv")).unwrap();
        heard(&watch, "a.csv", Notification::Renamed).await;
        fs::write(dir.path().join("b.csv"), "x").unwrap();
        heard(&watch, "b.csv", Notification::Closed).await;
    }
}
