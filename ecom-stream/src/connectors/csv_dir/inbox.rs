//! The inbox: which files are ready to be read, and in which order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use super::mark::FileStat;
use super::notifications::Notification;
use super::read_files::ReadPrefix;
use super::scan::FoundFile;
use crate::contract::{Position, Split};

/// The files that wait: those that are ready, oldest first, and those whose writer may not be done.
///
/// ```text
///                  renamed or closed, or unmodified for the settle time
///  offer ──┬──────────────────────────────────────────────────────────► ready ──► pop
///          │                                                              ▲
///          └─► settling ── due after the settle time ──► offer again ─────┘
/// ```
///
/// Both lists are bounded. A file that finds no room is dropped, and [`take_overfull`](Self::take_overfull) asks for another
/// scan once there is room.
#[derive(Debug)]
pub(super) struct Inbox {
    settle_for: Duration,
    max_files: usize,
    /// Files that need no reading as long as their metadata stay: the hash of the name, and that of the metadata. This takes
    /// 16 bytes a file.
    done: HashMap<u64, u64>,
    /// The entries of `done` that the current scan has not found again; they are dropped at its end.
    done_before: HashMap<u64, u64>,
    hasher: RandomState,
    settling: BTreeMap<OsString, Settling>,
    /// By modification time, then by name.
    ready: BTreeMap<(i64, OsString), Ready>,
    /// The modification time under which a name is in `ready`.
    ready_mtime: HashMap<OsString, i64>,
    overfull: bool,
}

/// A file that is examined again when it is due.
#[derive(Debug)]
struct Settling {
    stat: FileStat,
    due: Instant,
}

/// A file to read now, with what is known about it.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub(super) name: OsString,
    pub(super) readiness: Readiness,
    pub(super) stat: FileStat,
    /// The last position of the split that has this path.
    pub(super) known: Option<Position>,
    /// Other splits that the file may be: see [`FileCandidates`](super::candidates::FileCandidates).
    pub(super) candidates: Vec<Position>,
    /// Its size in bytes, decompressed; `None` if that is not known.
    pub(super) content_size: Option<u64>,
    /// What was read of it in this run, if it has only grown since.
    pub(super) grown_from: Option<ReadPrefix>,
    /// Those of these splits whose records are read again: another mapping has read them, and nothing of them was stored.
    pub(super) read_again: HashSet<Split>,
    /// The split that it was read as after it was renamed from this name: it may have its former name again.
    pub(super) renamed_back: Option<Position>,
}

/// Why a file may be read. This decides what its end means: whether a last record without a line end is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// It was renamed to its name, so it is complete.
    Renamed,
    /// Its writer closed it, and may open it again: a last record without a line end may be continued.
    Closed,
    /// It was not modified for the settle time. An upload that broke off looks like this too.
    Settled,
    /// It is still being modified: its records can be read, but more will follow.
    Growing,
}

/// How many files may wait in memory. A later scan finds the others again.
pub(super) const MAX_LOOK_AHEAD: usize = 32_768;

impl Inbox {
    /// An empty inbox, in which at most `max_files` files are ready and as many settle.
    pub(super) fn new(settle_for: Duration, max_files: usize) -> Self {
        Self {
            settle_for,
            max_files: max_files.max(1),
            done: HashMap::new(),
            done_before: HashMap::new(),
            hasher: RandomState::new(),
            settling: BTreeMap::new(),
            ready: BTreeMap::new(),
            ready_mtime: HashMap::new(),
            overfull: false,
        }
    }

    /// Notes that nothing of the file is left to read as long as its metadata stay the same.
    pub(super) fn done(&mut self, name: &OsStr, stat: FileStat) {
        self.settling.remove(name);
        self.done.insert(self.hasher.hash_one(name), self.hasher.hash_one(stat));
    }

    /// Whether [`done`](Self::done) was called for the file as it is.
    pub(super) fn is_done(&mut self, found: &FoundFile) -> bool {
        let (name, stat) = (self.hasher.hash_one(&*found.name), self.hasher.hash_one(found.stat));
        let is_done = [&self.done, &self.done_before]
            .iter()
            .any(|done| done.get(&name) == Some(&stat));
        if is_done {
            self.done(&found.name, found.stat);
        }
        is_done
    }

    /// Notes that a scan of the whole directory begins.
    pub(super) fn begin_scan(&mut self) {
        self.done_before = std::mem::take(&mut self.done);
    }

    /// Notes that the scan ends. If it was `whole`, files that it did not find are forgotten.
    pub(super) fn end_scan(&mut self, whole: bool) {
        let before = std::mem::take(&mut self.done_before);
        if !whole {
            for (name, stat) in before {
                self.done.entry(name).or_insert(stat);
            }
        }
    }

    /// Adds a file that was found, as ready or as settling. `wall_ns` is the wall clock, in nanoseconds since 1970.
    pub(super) fn offer(
        &mut self,
        found: FoundFile,
        notification: Option<Notification>,
        known: Option<Position>,
        now: Instant,
        wall_ns: i64,
    ) {
        let FoundFile { name, stat } = found;
        let rested = || i128::from(wall_ns) - i128::from(stat.mtime_ns) >= self.settle_for.as_nanos() as i128;
        let readiness = match (notification, self.settling.get(&name)) {
            (Some(Notification::Renamed), _) => Some(Readiness::Renamed),
            (Some(Notification::Closed | Notification::RenamedWithin), _) => Some(Readiness::Closed),
            (_, Some(first)) if now < first.due => return,
            (_, Some(first)) if first.stat == stat => Some(Readiness::Settled),
            (_, Some(_)) => Some(Readiness::Growing),
            (_, None) if rested() => Some(Readiness::Settled),
            (_, None) => None,
        };
        match readiness {
            Some(readiness) => {
                self.settling.remove(&name);
                let ready = Ready {
                    name,
                    readiness,
                    stat,
                    known,
                    candidates: Vec::new(),
                    content_size: None,
                    grown_from: None,
                    read_again: HashSet::new(),
                    renamed_back: None,
                };
                self.make_ready(stat, ready);
            }
            None => self.settle(name, stat, now),
        }
    }

    /// Adds a ready file. If there are too many, the youngest is dropped.
    fn make_ready(&mut self, stat: FileStat, ready: Ready) {
        if let Some(before) = self.ready_mtime.insert(ready.name.clone(), stat.mtime_ns) {
            self.ready.remove(&(before, ready.name.clone()));
        }
        self.ready.insert((stat.mtime_ns, ready.name.clone()), ready);
        if self.ready.len() > self.max_files
            && let Some((_, youngest)) = self.ready.pop_last()
        {
            self.ready_mtime.remove(&youngest.name);
            self.overfull = true;
        }
    }

    /// Has the file examined again after the settle time.
    pub(super) fn settle(&mut self, name: OsString, stat: FileStat, now: Instant) {
        // The sum overflows only for a settle time that is meant to last for ever.
        let far = now + Duration::from_secs(100 * 365 * 24 * 60 * 60);
        self.look_again(name, stat, now.checked_add(self.settle_for).unwrap_or(far));
    }

    /// How long a file must be unmodified to count as complete.
    pub(super) fn settle_for(&self) -> Duration {
        self.settle_for
    }

    /// Has the file examined again at `due`.
    pub(super) fn look_again(&mut self, name: OsString, stat: FileStat, due: Instant) {
        if self.settling.len() < self.max_files || self.settling.contains_key(&name) {
            self.settling.insert(name, Settling { stat, due });
        } else {
            self.overfull = true;
        }
    }

    /// The files that are due to be examined again.
    pub(super) fn due(&self, now: Instant) -> Vec<OsString> {
        let due = self.settling.iter().filter(|(_, settling)| settling.due <= now);
        due.map(|(name, _)| name.clone()).collect()
    }

    /// When the next file is due to be examined again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.settling.values().map(|settling| settling.due).min()
    }

    /// Forgets a file that does not exist any more.
    pub(super) fn gone(&mut self, name: &OsStr) {
        self.done.remove(&self.hasher.hash_one(name));
        self.settling.remove(name);
        if let Some(mtime) = self.ready_mtime.remove(name) {
            self.ready.remove(&(mtime, name.to_owned()));
        }
    }

    /// Takes out the oldest file that is ready.
    pub(super) fn pop(&mut self) -> Option<Ready> {
        let (_, ready) = self.ready.pop_first()?;
        self.ready_mtime.remove(&ready.name);
        Some(ready)
    }

    /// The files that are ready, oldest first.
    pub(super) fn files(&self) -> impl Iterator<Item = (&OsString, FileStat)> {
        self.ready.values().map(|ready| (&ready.name, ready.stat))
    }

    /// Whether no file is ready.
    pub(super) fn is_ready_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Whether some files found no room, so that another scan is needed. The call resets this.
    pub(super) fn take_overfull(&mut self) -> bool {
        std::mem::take(&mut self.overfull)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(2);
    const WALL: i64 = 1_000_000_000_000;

    fn found(name: &str, size: u64, age_ms: i64) -> FoundFile {
        FoundFile {
            name: name.into(),
            stat: FileStat {
                size,
                mtime_ns: WALL - age_ms * 1_000_000,
                inode: 1,
                ctime_ns: None,
            },
        }
    }

    fn popped(inbox: &mut Inbox) -> Option<(String, Readiness)> {
        let ready = inbox.pop()?;
        Some((ready.name.into_string().unwrap(), ready.readiness))
    }

    #[tokio::test]
    async fn a_file_is_ready_when_it_is_renamed_closed_or_settled() {
        let now = Instant::now();
        let mut inbox = Inbox::new(SETTLE, 100);
        inbox.offer(found("renamed", 1, 0), Some(Notification::Renamed), None, now, WALL);
        inbox.offer(found("closed", 1, 1), Some(Notification::Closed), None, now, WALL);
        inbox.offer(found("old", 1, 2_000), None, None, now, WALL);
        inbox.offer(found("young", 1, 1_999), None, None, now, WALL);
        inbox.offer(found("touched", 1, 10), Some(Notification::Written), None, now, WALL);
        inbox.offer(found("future", 1, -60_000), None, None, now, WALL);
        assert_eq!(popped(&mut inbox), Some(("old".into(), Readiness::Settled)));
        assert_eq!(popped(&mut inbox), Some(("closed".into(), Readiness::Closed)));
        assert_eq!(popped(&mut inbox), Some(("renamed".into(), Readiness::Renamed)));
        assert_eq!(popped(&mut inbox), None);

        // Another scan before the settle time is over changes nothing.
        let soon = now + SETTLE / 2;
        inbox.offer(found("young", 2, 0), None, None, soon, WALL);
        assert_eq!(inbox.due(soon), [""; 0]);
        let later = now + SETTLE;
        let mut due = inbox.due(later);
        due.sort();
        assert_eq!(due, ["future", "touched", "young"]);
        inbox.offer(found("future", 1, -60_000), None, None, later, WALL);
        inbox.offer(found("young", 2, 0), None, None, later, WALL);
        assert_eq!(popped(&mut inbox), Some(("young".into(), Readiness::Growing)));
        assert_eq!(popped(&mut inbox), Some(("future".into(), Readiness::Settled)));
        inbox.gone(OsStr::new("touched"));
        assert_eq!(inbox.next_due(), None);
    }

    #[tokio::test]
    async fn a_file_found_twice_is_read_once() {
        let now = Instant::now();
        let mut inbox = Inbox::new(SETTLE, 100);
        inbox.offer(found("a", 1, 9_000), None, None, now, WALL);
        inbox.offer(found("a", 2, 5_000), None, None, now, WALL);
        assert!(inbox.pop().is_some());
        assert!(inbox.pop().is_none());
        let done = found("a", 2, 5_000);
        inbox.done(&done.name, done.stat);
        assert!(inbox.is_done(&done));
        assert!(!inbox.is_done(&found("a", 3, 5_000)));

        // A file that a whole scan does not find again is forgotten.
        for (whole, remembered) in [(false, true), (true, false)] {
            inbox.begin_scan();
            inbox.end_scan(whole);
            assert_eq!(inbox.is_done(&done), remembered);
        }
    }

    #[tokio::test]
    async fn look_ahead_is_bounded_and_the_oldest_come_first() {
        let now = Instant::now();
        let mut inbox = Inbox::new(SETTLE, 3);
        for age in [5, 9, 7, 6, 8] {
            inbox.offer(found(&age.to_string(), 1, age * 1_000), None, None, now, WALL);
        }
        assert!(inbox.take_overfull());
        assert!(!inbox.take_overfull());
        let names: Vec<_> = std::iter::from_fn(|| popped(&mut inbox))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["9", "8", "7"]);
    }
}
