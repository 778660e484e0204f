use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{EventKind, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::scan::judge_name;

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

/// Listens to the system's notifications about a directory. They only say where to look, and are allowed to be wrong,
/// late or lost.
#[derive(Debug, Default)]
pub(super) struct Watch {
    // Dropping the watcher ends it.
    watcher: Option<notify::RecommendedWatcher>,
    hints: Arc<Hints>,
}

#[derive(Debug, Default)]
struct Hints {
    pending: Mutex<Pending>,
    wake: Notify,
}

/// What was heard since it was last taken.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) names: HashMap<OsString, Hint>,
    /// Something was lost: only a scan can tell what.
    pub(super) rescan: bool,
}

/// More names than this are cheaper to scan for.
const MAX_NAMES: usize = 16_384;

impl Watch {
    /// Listens to `dir` from now on. Without success the watch stays silent.
    pub(super) fn arm(&mut self, dir: &Path) {
        self.watcher = None;
        let hints = self.hints.clone();
        let watcher = notify::recommended_watcher(move |event| hints.hear(event)).and_then(|mut watcher| {
            watcher.watch(dir, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(err) => tracing::warn!(
                "no notifications about {}, so new files are found by scanning only: {err}",
                dir.display()
            ),
        }
    }

    /// Completes when there is something to [`take`](Self::take). Cancel-safe.
    pub(super) async fn wait(&self) {
        self.hints.wake.notified().await;
    }

    pub(super) fn take(&self) -> Pending {
        std::mem::take(&mut self.hints.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Hints {
    fn hear(&self, event: notify::Result<notify::Event>) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let before = (pending.names.len(), pending.rescan);
        let mut raised = false;
        match event {
            Ok(event) if event.need_rescan() => pending.rescan = true,
            Ok(mut event) => {
                let hint = match event.kind {
                    EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => Hint::Renamed,
                    EventKind::Access(AccessKind::Close(AccessMode::Write)) => Hint::Closed,
                    EventKind::Create(_) | EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => Hint::Touched,
                    // Among others our own opening and closing of the files.
                    _ => return,
                };
                // Of a renaming within the directory the new name is the last.
                let Some(name) = event.paths.pop().and_then(|path| path.file_name().map(OsString::from)) else {
                    return;
                };
                if judge_name(&name).is_err() {
                    return;
                }
                let known = pending.names.entry(name).or_insert(hint);
                raised = hint > *known;
                *known = hint.max(*known);
            }
            Err(err) => {
                tracing::warn!("a notification was lost, scanning instead: {err}");
                pending.rescan = true;
            }
        }
        if pending.names.len() > MAX_NAMES {
            pending.names.clear();
            pending.rescan = true;
        }
        if raised || before != (pending.names.len(), pending.rescan) {
            self.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn heard(watch: &Watch, name: &str, hint: Hint) {
        loop {
            watch.wait().await;
            if watch.take().names.get(name.as_ref() as &std::ffi::OsStr) == Some(&hint) {
                return;
            }
        }
    }

    #[tokio::test]
    async fn renaming_and_closing_are_heard() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = Watch::default();
        watch.arm(dir.path());
        fs::write(dir.path().join(".a.tmp"), "x").unwrap();
        fs::rename(dir.path().join(".a.tmp"), dir.path().join("a.csv")).unwrap();
        heard(&watch, "a.csv", Hint::Renamed).await;
        fs::write(dir.path().join("b.csv"), "x").unwrap();
        heard(&watch, "b.csv", Hint::Closed).await;
    }

    #[test]
    fn too_much_to_remember_becomes_a_scan() {
        let hints = Hints::default();
        let event = |n: usize| {
            let kind = EventKind::Create(notify::event::CreateKind::File);
            Ok(notify::Event::new(kind).add_path(format!("/d/{n}.csv").into()))
        };
        for n in 0..=MAX_NAMES {
            hints.hear(event(n));
        }
        let pending = hints.pending.lock().unwrap();
        assert!(pending.rescan);
        assert!(pending.names.is_empty());
    }
}
