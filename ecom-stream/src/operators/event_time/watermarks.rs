//! Where event time stands: a watermark for each split, and the minimum of those that are being read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::Split;

/// A split, or `None` for the records that a transform made of several.
pub(super) type Place = Option<Split>;

/// How the watermark follows the records; times are microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) lateness: i64,
    /// A split counts by its first record, not by its newest.
    pub(super) by_first: bool,
    pub(super) idle_lead: i64,
    pub(super) idle_records: u64,
}

/// What is known of all splits together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Total {
    pub(super) watermark: i64,
    /// The newest event of all.
    newest: i64,
    /// How many records there were.
    records: u64,
}

/// What is known of a split that is being read, or of a source between two of its splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// How far it got.
    progress: i64,
    /// The newest event of all, and the number of records of all, when its last record came.
    newest: i64,
    records: u64,
}

#[derive(Debug)]
pub(super) struct Watermarks {
    rules: Rules,
    total: Total,
    /// Sources of which the first record is waited for, until there is one of any.
    awaited: Vec<Arc<str>>,
    /// Those that are being read, apart from the current one.
    others: HashMap<Place, Tracked>,
    /// The one that the last record came from: records come in runs.
    current: Option<(Place, Tracked)>,
    /// How far sources got with splits that were read to their end. It counts while none of theirs is being read.
    sources: BTreeMap<Arc<str>, Tracked>,
    /// The minimum of all but the current one.
    behind: i64,
    /// None of them can have become idle before the newest event, or the number of records, is more than this.
    next_idle: (i64, u64),
    /// Entries of the state that are to be forgotten.
    gone: Vec<Entry>,
    total_changed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Tracked {
    known: Known,
    changed: bool,
    /// Whether it is in the state.
    stored: bool,
}

/// What an entry of the state is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Split(Place),
    Source(Arc<str>),
}

/// What changed since it was asked last: `None` for what is to be forgotten.
pub(super) struct Changed {
    pub(super) total: Option<Total>,
    pub(super) entries: Vec<(Entry, Option<Known>)>,
}

impl Watermarks {
    pub(super) fn new(rules: Rules, sources: &[String]) -> Self {
        let awaited = match sources {
            // It holds nothing back but itself.
            [_] => Vec::new(),
            several => several.iter().map(|source| source.as_str().into()).collect(),
        };
        Self {
            rules,
            awaited,
            total: Total {
                watermark: i64::MIN,
                newest: i64::MIN,
                records: 0,
            },
            others: HashMap::new(),
            current: None,
            sources: BTreeMap::new(),
            behind: i64::MAX,
            next_idle: (i64::MAX, u64::MAX),
            gone: Vec::new(),
            total_changed: false,
        }
    }

    pub(super) fn load_total(&mut self, total: Total) {
        self.awaited.clear();
        self.total = total;
    }

    pub(super) fn load(&mut self, entry: Entry, known: Known) {
        let tracked = Tracked {
            known,
            changed: false,
            stored: true,
        };
        match entry {
            Entry::Split(place) => self.others.insert(place, tracked),
            Entry::Source(source) => self.sources.insert(source, tracked),
        };
    }

    /// Called once everything is loaded.
    pub(super) fn loaded(&mut self) {
        self.look_at_others();
    }

    /// Whether the last run has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.total.watermark == i64::MAX
    }

    /// A record of `place` that happened at `time`; gives the watermark with it.
    pub(super) fn record(&mut self, place: Option<&Split>, time: i64) -> i64 {
        let rules = self.rules;
        let total = &mut self.total;
        total.records += 1;
        total.newest = total.newest.max(time);
        self.total_changed = true;
        if !self.awaited.is_empty() {
            self.begin(time);
        }
        let is_current = matches!(&self.current, Some((current, _)) if current.as_ref() == place);
        if !is_current {
            self.switch_to(place, time);
        }
        let mut progress = time;
        if let Some((_, tracked)) = &mut self.current {
            if !rules.by_first {
                tracked.known.progress = tracked.known.progress.max(time);
            }
            tracked.known.newest = self.total.newest;
            tracked.known.records = self.total.records;
            tracked.changed = true;
            progress = tracked.known.progress;
        }
        if self.total.newest > self.next_idle.0 || self.total.records > self.next_idle.1 {
            self.look_at_others();
        }
        self.raise(progress.min(self.behind))
    }

    /// The first record of all: the other sources stand at the beginning of time, until one of theirs comes.
    fn begin(&mut self, time: i64) {
        let known = Known {
            progress: i64::MIN,
            newest: time,
            records: 1,
        };
        let tracked = Tracked {
            known,
            changed: true,
            stored: false,
        };
        self.sources
            .extend(self.awaited.drain(..).map(|source| (source, tracked)));
    }

    /// There is no more to come of a split: its source stands where it got, until the next one of it begins.
    pub(super) fn leave(&mut self, split: &Split) {
        let place = Some(split.clone());
        let was_current = matches!(&self.current, Some((current, _)) if *current == place);
        let left = if was_current {
            self.current.take()
        } else {
            self.others.remove_entry(&place)
        };
        let Some((place, left)) = left else { return };
        if left.stored {
            self.gone.push(Entry::Split(place));
        }
        match self.sources.get_mut(split.source()) {
            Some(source) => {
                source.known.progress = source.known.progress.max(left.known.progress);
                source.known.newest = source.known.newest.max(left.known.newest);
                source.known.records = source.known.records.max(left.known.records);
                source.changed = true;
            }
            None => {
                let source = Tracked {
                    known: left.known,
                    changed: true,
                    stored: false,
                };
                self.sources.insert(split.source().into(), source);
            }
        }
        self.total_changed = true;
        self.look_at_others();
        let current = self.current.as_ref();
        let progress = current.map_or(i64::MAX, |(_, tracked)| tracked.known.progress);
        self.raise(progress.min(self.behind));
    }

    /// There is no more to come at all.
    pub(super) fn end(&mut self) {
        self.total_changed |= self.total.watermark != i64::MAX;
        self.total.watermark = i64::MAX;
        let splits = self.others.drain().chain(self.current.take());
        let splits = splits.map(|(place, tracked)| (Entry::Split(place), tracked));
        let sources = std::mem::take(&mut self.sources).into_iter();
        let sources = sources.map(|(source, tracked)| (Entry::Source(source), tracked));
        let stored = splits.chain(sources).filter(|(_, tracked)| tracked.stored);
        self.gone.extend(stored.map(|(entry, _)| entry));
        self.look_at_others();
    }

    pub(super) fn take_changed(&mut self) -> Changed {
        let mut entries: Vec<_> = std::mem::take(&mut self.gone)
            .into_iter()
            .filter(|entry| !self.is_tracked(entry))
            .map(|entry| (entry, None))
            .collect();
        let current = self.current.as_mut().map(|(place, tracked)| (&*place, tracked));
        let splits = self.others.iter_mut().chain(current);
        let splits = splits.map(|(place, tracked)| (Entry::Split(place.clone()), tracked));
        let sources = self.sources.iter_mut();
        let sources = sources.map(|(source, tracked)| (Entry::Source(source.clone()), tracked));
        for (entry, tracked) in splits.chain(sources) {
            if std::mem::take(&mut tracked.changed) {
                tracked.stored = true;
                entries.push((entry, Some(tracked.known)));
            }
        }
        let total = std::mem::take(&mut self.total_changed).then_some(self.total);
        Changed { total, entries }
    }

    fn is_tracked(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Split(place) => {
                self.others.contains_key(place) || self.current.as_ref().is_some_and(|(current, _)| current == place)
            }
            Entry::Source(source) => self.sources.contains_key(source),
        }
    }

    fn raise(&mut self, progress: i64) -> i64 {
        // The end of time is for the end of the last run.
        let watermark = progress.saturating_sub(self.rules.lateness).min(i64::MAX - 1);
        self.total.watermark = self.total.watermark.max(watermark);
        self.total.watermark
    }

    fn switch_to(&mut self, place: Option<&Split>, time: i64) {
        let place = place.cloned();
        if place.is_none() {
            self.await_none();
        }
        if let Some((before, tracked)) = self.current.take() {
            self.others.insert(before, tracked);
        }
        let known = self.others.remove(&place);
        if let (None, Some(split)) = (&known, &place) {
            self.forget_generations_before(split);
        }
        // One that had become idle begins anew.
        let tracked = known.unwrap_or(Tracked {
            known: Known {
                progress: time,
                newest: time,
                records: 0,
            },
            changed: true,
            stored: false,
        });
        self.current = Some((place, tracked));
        self.look_at_others();
    }

    /// Where records don't say which source they are of, none is waited for.
    fn await_none(&mut self) {
        let gone = &mut self.gone;
        self.sources.retain(|source, tracked| {
            let is_known = tracked.known.progress > i64::MIN;
            if !is_known {
                gone.extend(tracked.stored.then(|| Entry::Source(source.clone())));
            }
            is_known
        });
    }

    /// Nothing more comes of a path's old content, once the new is being read.
    fn forget_generations_before(&mut self, split: &Split) {
        let gone = &mut self.gone;
        self.others.retain(|place, tracked| {
            let is_before = place.as_ref().is_some_and(|place| {
                (place.source(), place.path()) == (split.source(), split.path())
                    && place.generation() < split.generation()
            });
            if is_before {
                gone.extend(tracked.stored.then(|| Entry::Split(place.clone())));
            }
            !is_before
        });
    }

    /// Lets go of those that have become idle, and finds the minimum of the rest.
    fn look_at_others(&mut self) {
        let (rules, total) = (self.rules, self.total);
        let (mut behind, mut next_idle) = (i64::MAX, (i64::MAX, u64::MAX));
        let mut is_idle = |known: &Known| {
            let lead = known.newest.saturating_add(rules.idle_lead);
            let records = known.records.saturating_add(rules.idle_records);
            let (led, passed) = (total.newest > lead, total.records > records);
            match passed {
                true if led => return true,
                true => next_idle.0 = next_idle.0.min(lead),
                false => next_idle.1 = next_idle.1.min(records),
            }
            false
        };
        let gone = &mut self.gone;
        self.others.retain(|place, Tracked { known, stored, .. }| {
            if is_idle(known) {
                gone.extend(stored.then(|| Entry::Split(place.clone())));
                return false;
            }
            behind = behind.min(known.progress);
            true
        });
        let (others, current) = (&self.others, &self.current);
        self.sources.retain(|source, Tracked { known, stored, .. }| {
            if is_idle(known) {
                gone.extend(stored.then(|| Entry::Source(source.clone())));
                return false;
            }
            let mut places = others.keys().chain(current.as_ref().map(|(place, _)| place));
            if !places.any(|place| place.as_ref().is_some_and(|split| split.source() == &**source)) {
                behind = behind.min(known.progress);
            }
            true
        });
        (self.behind, self.next_idle) = (behind, next_idle);
    }
}

#[cfg(test)]
mod tests;
