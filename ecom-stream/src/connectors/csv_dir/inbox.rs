use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use super::hints::Hint;
use super::mark::Stamp;
use super::scan::Found;
use crate::contract::Position;

/// Which files are to be read, in which order, and from when on.
///
/// A file is ready at once when it was renamed in or closed after writing, or when it has rested for the settle time;
/// else it is looked at again a settle time later, and read then.
#[derive(Debug)]
pub(super) struct Inbox {
    settle_for: Duration,
    max_files: usize,
    /// Files that need no second look as long as their stamp stays, as hashes: 16 bytes a file and no names.
    done: HashMap<u64, u64>,
    /// What was done when the scan that is under way began: what it does not find again is forgotten.
    done_before: HashMap<u64, u64>,
    hasher: RandomState,
    settling: BTreeMap<OsString, Settling>,
    /// By age, then by name.
    ready: BTreeMap<(i64, OsString), Ready>,
    ready_since: HashMap<OsString, i64>,
    overfull: bool,
}

#[derive(Debug)]
struct Settling {
    stamp: Stamp,
    due: Instant,
}

/// A file to be read now.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub(super) name: OsString,
    pub(super) readiness: Readiness,
    pub(super) stamp: Stamp,
    /// How far it was read before.
    pub(super) known: Option<Position>,
    /// What a file of a new name may turn out to be.
    pub(super) alike: Vec<Position>,
    /// How much stands in it, decompressed; `None` if that can't be told.
    pub(super) content_size: Option<u64>,
}

/// Why a file may be read, which tells what its end means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// It was written elsewhere and is whole.
    Renamed,
    /// Its writer closed it; a last record without a terminator may still be gone on with.
    Closed,
    /// It has rested for the settle time: taken as whole.
    Settled,
    /// It is being written to: what is there can be read, but its end is not the end.
    Growing,
}

/// How many files may wait in memory; others are found again by the next scan.
pub(super) const MAX_LOOK_AHEAD: usize = 32_768;

impl Inbox {
    pub(super) fn new(settle_for: Duration, max_files: usize) -> Self {
        Self {
            settle_for,
            max_files: max_files.max(1),
            done: HashMap::new(),
            done_before: HashMap::new(),
            hasher: RandomState::new(),
            settling: BTreeMap::new(),
            ready: BTreeMap::new(),
            ready_since: HashMap::new(),
            overfull: false,
        }
    }

    /// Nothing more is to be done about the file as long as it stays as it is.
    pub(super) fn done(&mut self, name: &OsStr, stamp: Stamp) {
        self.settling.remove(name);
        self.done
            .insert(self.hasher.hash_one(name), self.hasher.hash_one(stamp));
    }

    /// Whether [`done`](Self::done) holds for it.
    pub(super) fn is_done(&mut self, found: &Found) -> bool {
        let (name, stamp) = (self.hasher.hash_one(&*found.name), self.hasher.hash_one(found.stamp));
        let is_done = [&self.done, &self.done_before]
            .iter()
            .any(|done| done.get(&name) == Some(&stamp));
        if is_done {
            self.done(&found.name, found.stamp);
        }
        is_done
    }

    /// A scan of the whole directory begins.
    pub(super) fn begin_scan(&mut self) {
        self.done_before = std::mem::take(&mut self.done);
    }

    /// It ends; `whole` if it came to the end of the directory.
    pub(super) fn end_scan(&mut self, whole: bool) {
        let before = std::mem::take(&mut self.done_before);
        if !whole {
            for (name, stamp) in before {
                self.done.entry(name).or_insert(stamp);
            }
        }
    }

    /// Takes in a file that was found; `wall_ns` is the time since 1970.
    pub(super) fn offer(
        &mut self,
        found: Found,
        hint: Option<Hint>,
        known: Option<Position>,
        now: Instant,
        wall_ns: i64,
    ) {
        let Found { name, stamp } = found;
        let rested = || i128::from(wall_ns) - i128::from(stamp.mtime_ns) >= self.settle_for.as_nanos() as i128;
        let readiness = match (hint, self.settling.get(&name)) {
            (Some(Hint::Renamed), _) => Some(Readiness::Renamed),
            (Some(Hint::Closed), _) => Some(Readiness::Closed),
            (_, Some(first)) if now < first.due => return,
            (_, Some(first)) if first.stamp == stamp => Some(Readiness::Settled),
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
                    stamp,
                    known,
                    alike: Vec::new(),
                    content_size: None,
                };
                self.make_ready(stamp, ready);
            }
            None => self.settle(name, stamp, now),
        }
    }

    fn make_ready(&mut self, stamp: Stamp, ready: Ready) {
        if let Some(before) = self.ready_since.insert(ready.name.clone(), stamp.mtime_ns) {
            self.ready.remove(&(before, ready.name.clone()));
        }
        self.ready.insert((stamp.mtime_ns, ready.name.clone()), ready);
        if self.ready.len() > self.max_files
            && let Some((_, youngest)) = self.ready.pop_last()
        {
            self.ready_since.remove(&youngest.name);
            self.overfull = true;
        }
    }

    /// Has the file looked at again a settle time from now.
    pub(super) fn settle(&mut self, name: OsString, stamp: Stamp, now: Instant) {
        // A time that can't be told is as good as one far away.
        let far = now + Duration::from_secs(100 * 365 * 24 * 60 * 60);
        self.look_again(name, stamp, now.checked_add(self.settle_for).unwrap_or(far));
    }

    pub(super) fn settle_for(&self) -> Duration {
        self.settle_for
    }

    /// Has the file looked at again at `due`.
    pub(super) fn look_again(&mut self, name: OsString, stamp: Stamp, due: Instant) {
        if self.settling.len() < self.max_files || self.settling.contains_key(&name) {
            self.settling.insert(name, Settling { stamp, due });
        } else {
            self.overfull = true;
        }
    }

    /// The files that are to be looked at again by now.
    pub(super) fn due(&self, now: Instant) -> Vec<OsString> {
        let due = self.settling.iter().filter(|(_, settling)| settling.due <= now);
        due.map(|(name, _)| name.clone()).collect()
    }

    /// When the next file is to be looked at again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.settling.values().map(|settling| settling.due).min()
    }

    /// The file is not there any more.
    pub(super) fn gone(&mut self, name: &OsStr) {
        self.done.remove(&self.hasher.hash_one(name));
        self.settling.remove(name);
        if let Some(since) = self.ready_since.remove(name) {
            self.ready.remove(&(since, name.to_owned()));
        }
    }

    /// The oldest file that is ready.
    pub(super) fn pop(&mut self) -> Option<Ready> {
        let (_, ready) = self.ready.pop_first()?;
        self.ready_since.remove(&ready.name);
        Some(ready)
    }

    /// The files that come next.
    pub(super) fn files(&self) -> impl Iterator<Item = (&OsString, Stamp)> {
        self.ready.values().map(|ready| (&ready.name, ready.stamp))
    }

    pub(super) fn is_ready_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Whether some files had no room and only another scan finds them; asking resets it.
    pub(super) fn take_overfull(&mut self) -> bool {
        std::mem::take(&mut self.overfull)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(2);
    const WALL: i64 = 1_000_000_000_000;

    fn found(name: &str, size: u64, age_ms: i64) -> Found {
        Found {
            name: name.into(),
            stamp: Stamp {
                size,
                mtime_ns: WALL - age_ms * 1_000_000,
                inode: 1,
            },
        }
    }

    fn popped(inbox: &mut Inbox) -> Option<(String, Readiness)> {
        let ready = inbox.pop()?;
        Some((ready.name.into_string().unwrap(), ready.readiness))
    }

    #[tokio::test]
    async fn what_makes_a_file_ready() {
        let now = Instant::now();
        let mut inbox = Inbox::new(SETTLE, 100);
        inbox.offer(found("renamed", 1, 0), Some(Hint::Renamed), None, now, WALL);
        inbox.offer(found("closed", 1, 1), Some(Hint::Closed), None, now, WALL);
        inbox.offer(found("old", 1, 2_000), None, None, now, WALL);
        inbox.offer(found("young", 1, 1_999), None, None, now, WALL);
        inbox.offer(found("touched", 1, 10), Some(Hint::Touched), None, now, WALL);
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
        inbox.done(&done.name, done.stamp);
        assert!(inbox.is_done(&done));
        assert!(!inbox.is_done(&found("a", 3, 5_000)));

        // What a whole scan does not find again is forgotten.
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
