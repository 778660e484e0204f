//! What a run remembers of the files that it has read, besides what the ledger keeps.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is known of files that were read; clones share it. A restart forgets it.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadFiles(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    /// The files that were changed so shortly before they were read that their metadata need not tell of another change.
    recent: HashSet<OsString>,
}

impl ReadFiles {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Every change is complete or not made, so the memory is valid even if a holder of the lock panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the metadata of a file do not tell whether it changes while it is read.
    pub(super) fn add_recent(&self, name: &OsStr) {
        self.memory().recent.insert(name.to_owned());
    }

    /// Notes that they do by now. Returns whether they did not.
    pub(super) fn remove_recent(&self, name: &OsStr) -> bool {
        self.memory().recent.remove(name)
    }
}
