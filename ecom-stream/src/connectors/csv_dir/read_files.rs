//! What a run remembers of the files that it has read, besides what the ledger keeps.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::mark::{FileMark, FileStat};
use crate::contract::{Position, Split};
use crate::csv::{BLOCK, PrefixDigest};

/// What is known of files that were read; clones share it. A restart forgets it.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadFiles(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    /// The files that were changed so shortly before they were read that their metadata need not tell of another change.
    recent: HashSet<OsString>,
    /// What was read of large files, with the number of the entry.
    prefixes: HashMap<OsString, (u64, ReadPrefix)>,
    entries: u64,
}

/// What was read of a file, so that a line that is appended costs the line and not the file.
///
/// Metadata do not tell an appended line from other content. So the ends of what was read are compared each time, and all of
/// it once it is twice as long as when all of it was compared or read last. Both together cost as much as reading it once more.
#[derive(Debug, Clone)]
pub(super) struct ReadPrefix {
    pub(super) split: Split,
    /// The metadata when the end was found.
    pub(super) stat: FileStat,
    pub(super) digest: PrefixDigest,
    /// How much was known to be of one content then.
    pub(super) compared: u64,
}

/// For so many files it is remembered what was read of them. This takes some 6 kB a file.
const MAX_PREFIXES: usize = 1_000;

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

    /// Remembers what was read of a file that is not compressed. Small files are compared whole in any case.
    pub(super) fn add_prefix(&self, name: &OsStr, prefix: ReadPrefix) {
        let mut memory = self.memory();
        if prefix.digest.len() <= 2 * BLOCK {
            memory.prefixes.remove(name);
            return;
        }
        memory.entries += 1;
        let entry = (memory.entries, prefix);
        memory.prefixes.insert(name.to_owned(), entry);
        if memory.prefixes.len() > MAX_PREFIXES
            && let Some(oldest) = memory.prefixes.values().map(|(entry, _)| *entry).min()
        {
            memory.prefixes.retain(|_, (entry, _)| *entry != oldest);
        }
    }

    /// What was read of a file whose ends are enough to compare: because it is as it was then or has only grown, as far as its
    /// metadata tell, and not yet to twice what was compared. Forgets it, so that all is compared if the ends differ.
    pub(super) fn take_grown(&self, name: &OsStr, known: Option<&Position>, now: FileStat) -> Option<ReadPrefix> {
        let (_, prefix) = self.memory().prefixes.remove(name)?;
        let has_grown = now.inode == prefix.stat.inode && now.size > prefix.stat.size || now == prefix.stat;
        let is_due = prefix.digest.len() >= 2 * prefix.compared;
        (prefix.is_of(known?) && has_grown && !is_due).then_some(prefix)
    }

    /// What was read of a file up to a position, if it is enough to compare the ends of that: because all of it was compared
    /// or read before, and it is as it was then, as far as its metadata tell.
    pub(super) fn unchanged(&self, name: &OsStr, known: &Position, now: FileStat) -> Option<ReadPrefix> {
        let memory = self.memory();
        let (_, prefix) = memory.prefixes.get(name)?;
        let is_it = prefix.is_of(known) && prefix.stat == now && prefix.compared < prefix.digest.len();
        is_it.then(|| prefix.clone())
    }
}

impl ReadPrefix {
    /// Whether it is what was read up to that position.
    fn is_of(&self, position: &Position) -> bool {
        let is_digest = |mark: FileMark| mark.digest == self.digest.hash().to_hex().as_str();
        position.split == self.split
            && position.offset == self.digest.len()
            && FileMark::of(position).is_some_and(is_digest)
    }
}
