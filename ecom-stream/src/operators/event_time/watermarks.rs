//! Computes the watermark: how far event time has come in each split, and the minimum over the splits that are being read.
//!
//! ```text
//! split a.csv   ├──────────●            the newest event of a.csv
//! split b.csv   ├──────●                the newest event of b.csv
//! source shop2  ├────────────●          between two files: the newest event of the last file
//!                      │
//!                      └─ minimum, less the lateness = the watermark (it never goes back)
//! ```
//!
//! [`Watermarks`] is told of each record ([`record`](Watermarks::record)), of each split that was read to its end
//! ([`split_ended`](Watermarks::split_ended)), and of the end of the last run ([`end`](Watermarks::end)).
//! [`take_changed`](Watermarks::take_changed) then gives the state entries that a batch changed. It is free of I/O and of
//! clocks, so its result follows from the order of these calls alone. All times are microseconds since 1970.
//!
//! Most records come from the split of the record before, so that split is kept apart (`current`) and the minimum over all
//! others is cached (`others_minimum`). The cache is computed again only when the set of splits changes, or when one of the
//! others may have become idle (`next_idle`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::Split;

/// The split of a record; `None` for records without an origin, such as the results of a window. Those count as one split.
pub(super) type SplitKey = Option<Split>;

/// The settings by which the watermark follows the records; see [`EventTime`](super::EventTime) for what each means.
#[derive(Debug, Clone, Copy)]
pub(super) struct WatermarkStrategy {
    /// How far behind the newest event of its split a record may be without being late, in microseconds.
    pub(super) lateness: i64,
    /// Whether a split counts by its first record instead of its newest.
    pub(super) by_first: bool,
    /// By how much the others must have got ahead of a split for it to be idle, in microseconds. See also `idle_records`.
    pub(super) idle_lead: i64,
    /// How many records must have come since the last one of a split for it to be idle. Both conditions must hold.
    pub(super) idle_records: u64,
}

/// The state over all splits together: one entry of the operator's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GlobalState {
    /// The watermark: `i64::MIN` before the first record, `i64::MAX` after the last run.
    pub(super) watermark: i64,
    /// The time of the newest event of any split.
    newest: i64,
    /// The number of records of all splits so far.
    records: u64,
}

/// How far a split that is being read has come, or a source between two of its splits: one entry of the operator's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SplitProgress {
    /// How far event time has come in it: the time of its newest event, or of its first one with `by_first`.
    event_time: i64,
    /// [`GlobalState::newest`] when its last record came. From the difference follows how far the others have got ahead.
    newest: i64,
    /// [`GlobalState::records`] when its last record came. From the difference follows how many have come since.
    records: u64,
}

/// The watermarks of all splits; see the module.
#[derive(Debug)]
pub(super) struct Watermarks {
    strategy: WatermarkStrategy,
    global: GlobalState,
    /// In the first run, the sources that hold the watermark back until their first record. Empty from the first record on,
    /// when they move to `sources`.
    awaited_sources: Vec<Arc<str>>,
    /// The splits that are being read, except for the current one.
    others: HashMap<SplitKey, TrackedSplit>,
    /// The split of the last record. Records come in runs of one split, so this one is at hand without a look-up.
    current: Option<(SplitKey, TrackedSplit)>,
    /// How far sources have come with splits that were read to their end. A source counts only while none of its splits is
    /// being read.
    sources: BTreeMap<Arc<str>, TrackedSplit>,
    /// The minimum of the event times of all but the current split.
    others_minimum: i64,
    /// None of the others can have become idle before the newest event is later than the first value, or the number of
    /// records is more than the second.
    next_idle: (i64, u64),
    /// Entries of the state that are to be deleted.
    deleted: Vec<EntryKey>,
    global_changed: bool,
}

/// A split or a source in memory, with what has to be written of it.
#[derive(Debug, Clone, Copy)]
struct TrackedSplit {
    progress: SplitProgress,
    /// Whether it has changed since [`Watermarks::take_changed`] was last called.
    changed: bool,
    /// Whether the state has an entry of it, which must be deleted when the split is dropped.
    stored: bool,
}

/// What an entry of the state is about: a split that is being read, or a source between two of its splits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryKey {
    Split(SplitKey),
    Source(Arc<str>),
}

/// The state entries that have changed since the last call of [`Watermarks::take_changed`].
pub(super) struct Changed {
    /// The state over all splits, if it has changed.
    pub(super) global: Option<GlobalState>,
    /// The splits and sources that have changed; `None` stands for an entry that is to be deleted.
    pub(super) entries: Vec<(EntryKey, Option<SplitProgress>)>,
}

impl Watermarks {
    /// The watermarks before the first record of the first run. `sources` are the names of all sources in front of the
    /// operator.
    pub(super) fn new(strategy: WatermarkStrategy, sources: &[String]) -> Self {
        let awaited_sources = match sources {
            // A single source holds back no other.
            [_] => Vec::new(),
            several => several.iter().map(|source| source.as_str().into()).collect(),
        };
        Self {
            strategy,
            awaited_sources,
            global: GlobalState {
                watermark: i64::MIN,
                newest: i64::MIN,
                records: 0,
            },
            others: HashMap::new(),
            current: None,
            sources: BTreeMap::new(),
            others_minimum: i64::MAX,
            next_idle: (i64::MAX, u64::MAX),
            deleted: Vec::new(),
            global_changed: false,
        }
    }

    /// Loads the state over all splits. That there is one means that this is not the first run.
    pub(super) fn load_global(&mut self, global: GlobalState) {
        self.awaited_sources.clear();
        self.global = global;
    }

    /// Loads the entry of a split or a source.
    pub(super) fn load(&mut self, entry: EntryKey, progress: SplitProgress) {
        let tracked = TrackedSplit {
            progress,
            changed: false,
            stored: true,
        };
        match entry {
            EntryKey::Split(key) => self.others.insert(key, tracked),
            EntryKey::Source(source) => self.sources.insert(source, tracked),
        };
    }

    /// Must be called once all entries are loaded, and before the first record.
    pub(super) fn loaded(&mut self) {
        self.update_others();
    }

    /// Whether the last run of the pipeline has ended, so that every record is late.
    pub(super) fn has_ended(&self) -> bool {
        self.global.watermark == i64::MAX
    }

    /// Takes a record of the split `key` with the event time `time`, and returns the watermark that holds with it.
    pub(super) fn record(&mut self, key: Option<&Split>, time: i64) -> i64 {
        let strategy = self.strategy;
        let global = &mut self.global;
        global.records += 1;
        global.newest = global.newest.max(time);
        self.global_changed = true;
        if !self.awaited_sources.is_empty() {
            self.begin(time);
        }
        let is_current = matches!(&self.current, Some((current, _)) if current.as_ref() == key);
        if !is_current {
            self.switch_to_split(key, time);
        }
        let mut event_time = time;
        if let Some((_, tracked)) = &mut self.current {
            if !strategy.by_first {
                tracked.progress.event_time = tracked.progress.event_time.max(time);
            }
            tracked.progress.newest = self.global.newest;
            tracked.progress.records = self.global.records;
            tracked.changed = true;
            event_time = tracked.progress.event_time;
        }
        if self.global.newest > self.next_idle.0 || self.global.records > self.next_idle.1 {
            self.update_others();
        }
        self.raise(event_time.min(self.others_minimum))
    }

    /// Called with the first record of the first run: each source stands at the beginning of time until its own first record.
    fn begin(&mut self, time: i64) {
        let progress = SplitProgress {
            event_time: i64::MIN,
            newest: time,
            records: 1,
        };
        let tracked = TrackedSplit {
            progress,
            changed: true,
            stored: false,
        };
        self.sources
            .extend(self.awaited_sources.drain(..).map(|source| (source, tracked)));
    }

    /// Takes note that a split was read to its end. From now on its source stands where the split ended, until the next split
    /// of that source begins.
    pub(super) fn split_ended(&mut self, split: &Split) {
        let key = Some(split.clone());
        let was_current = matches!(&self.current, Some((current, _)) if *current == key);
        let left = if was_current {
            self.current.take()
        } else {
            self.others.remove_entry(&key)
        };
        let Some((key, left)) = left else { return };
        if left.stored {
            self.deleted.push(EntryKey::Split(key));
        }
        match self.sources.get_mut(split.source()) {
            Some(source) => {
                source.progress.event_time = source.progress.event_time.max(left.progress.event_time);
                source.progress.newest = source.progress.newest.max(left.progress.newest);
                source.progress.records = source.progress.records.max(left.progress.records);
                source.changed = true;
            }
            None => {
                let source = TrackedSplit {
                    progress: left.progress,
                    changed: true,
                    stored: false,
                };
                self.sources.insert(split.source().into(), source);
            }
        }
        self.global_changed = true;
        self.update_others();
        let current = self.current.as_ref();
        let event_time = current.map_or(i64::MAX, |(_, tracked)| tracked.progress.event_time);
        self.raise(event_time.min(self.others_minimum));
    }

    /// Takes note that the last run has ended: the watermark moves to the end of time, and all other entries are deleted.
    pub(super) fn end(&mut self) {
        self.global_changed |= self.global.watermark != i64::MAX;
        self.global.watermark = i64::MAX;
        let splits = self.others.drain().chain(self.current.take());
        let splits = splits.map(|(key, tracked)| (EntryKey::Split(key), tracked));
        let sources = std::mem::take(&mut self.sources).into_iter();
        let sources = sources.map(|(source, tracked)| (EntryKey::Source(source), tracked));
        let stored = splits.chain(sources).filter(|(_, tracked)| tracked.stored);
        self.deleted.extend(stored.map(|(entry, _)| entry));
        self.update_others();
    }

    /// Returns the state entries that have changed since the last call. Each change is returned once.
    pub(super) fn take_changed(&mut self) -> Changed {
        let mut entries: Vec<_> = std::mem::take(&mut self.deleted)
            .into_iter()
            .filter(|entry| !self.is_tracked(entry))
            .map(|entry| (entry, None))
            .collect();
        let current = self.current.as_mut().map(|(key, tracked)| (&*key, tracked));
        let splits = self.others.iter_mut().chain(current);
        let splits = splits.map(|(key, tracked)| (EntryKey::Split(key.clone()), tracked));
        let sources = self.sources.iter_mut();
        let sources = sources.map(|(source, tracked)| (EntryKey::Source(source.clone()), tracked));
        for (entry, tracked) in splits.chain(sources) {
            if std::mem::take(&mut tracked.changed) {
                tracked.stored = true;
                entries.push((entry, Some(tracked.progress)));
            }
        }
        let global = std::mem::take(&mut self.global_changed).then_some(self.global);
        Changed { global, entries }
    }

    /// Whether the split or source of a deleted entry has come back since.
    fn is_tracked(&self, entry: &EntryKey) -> bool {
        match entry {
            EntryKey::Split(key) => {
                self.others.contains_key(key) || self.current.as_ref().is_some_and(|(current, _)| current == key)
            }
            EntryKey::Source(source) => self.sources.contains_key(source),
        }
    }

    /// Moves the watermark to `event_time` less the lateness, unless it is later already, and returns it.
    fn raise(&mut self, event_time: i64) -> i64 {
        // `i64::MAX` is reserved for the end of the last run.
        let watermark = event_time.saturating_sub(self.strategy.lateness).min(i64::MAX - 1);
        self.global.watermark = self.global.watermark.max(watermark);
        self.global.watermark
    }

    /// Makes `key` the current split. A split that is not tracked begins here, with a record at `time`.
    fn switch_to_split(&mut self, key: Option<&Split>, time: i64) {
        let key = key.cloned();
        if key.is_none() {
            self.stop_awaiting();
        }
        if let Some((before, tracked)) = self.current.take() {
            self.others.insert(before, tracked);
        }
        let previous = self.others.remove(&key);
        if let (None, Some(split)) = (&previous, &key) {
            self.delete_generations_before(split);
        }
        // A split that had become idle is no longer tracked, and begins again like a new one.
        let tracked = previous.unwrap_or(TrackedSplit {
            progress: SplitProgress {
                event_time: time,
                newest: time,
                records: 0,
            },
            changed: true,
            stored: false,
        });
        self.current = Some((key, tracked));
        self.update_others();
    }

    /// Stops waiting for the first record of each source: without an origin, it is not known which source a record is from.
    fn stop_awaiting(&mut self) {
        let deleted = &mut self.deleted;
        self.sources.retain(|source, tracked| {
            let has_begun = tracked.progress.event_time > i64::MIN;
            if !has_begun {
                deleted.extend(tracked.stored.then(|| EntryKey::Source(source.clone())));
            }
            has_begun
        });
    }

    /// Drops the earlier generations of a path: once its new content is being read, nothing more comes of the old.
    fn delete_generations_before(&mut self, split: &Split) {
        let deleted = &mut self.deleted;
        self.others.retain(|key, tracked| {
            let is_before = key.as_ref().is_some_and(|key| {
                (key.source(), key.path()) == (split.source(), split.path()) && key.generation() < split.generation()
            });
            if is_before {
                deleted.extend(tracked.stored.then(|| EntryKey::Split(key.clone())));
            }
            !is_before
        });
    }

    /// Drops the splits and sources that have become idle, and computes `others_minimum` and `next_idle` from the rest.
    fn update_others(&mut self) {
        let (strategy, global) = (self.strategy, self.global);
        let (mut others_minimum, mut next_idle) = (i64::MAX, (i64::MAX, u64::MAX));
        let mut is_idle = |progress: &SplitProgress| {
            let lead = progress.newest.saturating_add(strategy.idle_lead);
            let records = progress.records.saturating_add(strategy.idle_records);
            let (led, passed) = (global.newest > lead, global.records > records);
            match passed {
                true if led => return true,
                true => next_idle.0 = next_idle.0.min(lead),
                false => next_idle.1 = next_idle.1.min(records),
            }
            false
        };
        let deleted = &mut self.deleted;
        self.others.retain(|key, TrackedSplit { progress, stored, .. }| {
            if is_idle(progress) {
                deleted.extend(stored.then(|| EntryKey::Split(key.clone())));
                return false;
            }
            others_minimum = others_minimum.min(progress.event_time);
            true
        });
        let (others, current) = (&self.others, &self.current);
        self.sources.retain(|source, TrackedSplit { progress, stored, .. }| {
            if is_idle(progress) {
                deleted.extend(stored.then(|| EntryKey::Source(source.clone())));
                return false;
            }
            let mut keys = others.keys().chain(current.as_ref().map(|(key, _)| key));
            if !keys.any(|key| key.as_ref().is_some_and(|split| split.source() == &**source)) {
                others_minimum = others_minimum.min(progress.event_time);
            }
            true
        });
        (self.others_minimum, self.next_idle) = (others_minimum, next_idle);
    }
}

#[cfg(test)]
mod tests;
