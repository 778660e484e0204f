use std::any::Any;
use std::sync::Arc;

use super::directory::Directory;
use super::hints::{Hints, Pending};

/// Listens to the system's notifications about a directory. They only say where to look, and are allowed to be wrong,
/// late or lost.
#[derive(Debug, Default)]
pub(super) struct Watch {
    // Dropping the listener ends it.
    listener: Option<Box<dyn Any + Send + Sync>>,
    hints: Arc<Hints>,
}

impl Watch {
    /// Listens to `dir` from now on. Without success the watch stays silent.
    pub(super) fn arm(&mut self, dir: &impl Directory) {
        self.listener = None;
        match dir.listen(self.hints.clone()) {
            Ok(listener) => self.listener = Some(listener),
            Err(err) => tracing::warn!(
                "no notifications about {}, so new files are found by scanning only: {err}",
                dir.path().display()
            ),
        }
    }

    /// Completes when there is something to [`take`](Self::take). Cancel-safe.
    pub(super) async fn wait(&self) {
        self.hints.wait().await;
    }

    pub(super) fn take(&self) -> Pending {
        self.hints.take()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::disk::Disk;
    use super::super::hints::Hint;
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
        watch.arm(&Disk::new(dir.path()));
        fs::write(dir.path().join(".a.tmp"), "x").unwrap();
        fs::rename(dir.path().join(".a.tmp"), dir.path().join("a.csv")).unwrap();
        heard(&watch, "a.csv", Hint::Renamed).await;
        fs::write(dir.path().join("b.csv"), "x").unwrap();
        heard(&watch, "b.csv", Hint::Closed).await;
    }
}
