//! Where event time stands: a watermark for each split, and the minimum of those that are being read.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::Split;

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
    /// The furthest that any split got.
    furthest: i64,
    /// How many records there were.
    records: u64,
}

/// What is known of a split that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OfSplit {
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
    /// Those that are being read, apart from the current one.
    others: HashMap<Place, Tracked>,
    /// The one that the last record came from: records come in runs.
    current: Option<(Place, Tracked)>,
    /// The minimum of the others.
    behind: i64,
    /// No other can have become idle before the newest event, or the number of records, is more than this.
    next_idle: (i64, u64),
    /// Entries of the state that are to be forgotten.
    gone: Vec<Place>,
    total_changed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Tracked {
    known: OfSplit,
    changed: bool,
    /// Whether it is in the state.
    stored: bool,
}

/// What changed since it was asked last: `None` for what is to be forgotten.
pub(super) struct Changed {
    pub(super) total: Option<Total>,
    pub(super) splits: Vec<(Place, Option<OfSplit>)>,
}

impl Watermarks {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            total: Total {
                watermark: i64::MIN,
                newest: i64::MIN,
                furthest: i64::MIN,
                records: 0,
            },
            others: HashMap::new(),
            current: None,
            behind: i64::MAX,
            next_idle: (i64::MAX, u64::MAX),
            gone: Vec::new(),
            total_changed: false,
        }
    }

    pub(super) fn load_total(&mut self, total: Total) {
        self.total = total;
    }

    pub(super) fn load_split(&mut self, place: Place, known: OfSplit) {
        let tracked = Tracked {
            known,
            changed: false,
            stored: true,
        };
        self.others.insert(place, tracked);
    }

    /// Called once everything is loaded.
    pub(super) fn loaded(&mut self) {
        self.look_at_others();
    }

    /// A record of `place` that happened at `time`; gives the watermark with it.
    pub(super) fn record(&mut self, place: Option<&Split>, time: i64) -> i64 {
        let rules = self.rules;
        let total = &mut self.total;
        total.records += 1;
        total.newest = total.newest.max(time);
        self.total_changed = true;
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
        self.total.furthest = self.total.furthest.max(progress);
        if self.total.newest > self.next_idle.0 || self.total.records > self.next_idle.1 {
            self.look_at_others();
        }
        self.raise(progress.min(self.behind))
    }

    /// There is no more to come of a split.
    pub(super) fn leave(&mut self, place: Option<&Split>) {
        let was_current = matches!(&self.current, Some((current, _)) if current.as_ref() == place);
        let left = if was_current {
            self.current.take()
        } else {
            self.others.remove_entry(&place.cloned())
        };
        let Some((place, tracked)) = left else { return };
        if tracked.stored {
            self.gone.push(place);
        }
        self.total_changed = true;
        self.look_at_others();
        let current = self
            .current
            .as_ref()
            .map_or(i64::MAX, |(_, tracked)| tracked.known.progress);
        match current.min(self.behind) {
            // Nothing is being read: all that was has been read to its end.
            i64::MAX => self.raise(self.total.furthest),
            progress => self.raise(progress),
        };
    }

    /// There is no more to come at all.
    pub(super) fn end(&mut self) {
        self.total_changed |= self.total.watermark != i64::MAX;
        self.total.watermark = i64::MAX;
    }

    pub(super) fn take_changed(&mut self) -> Changed {
        let mut splits: Vec<_> = std::mem::take(&mut self.gone)
            .into_iter()
            .filter(|place| !self.is_tracked(place))
            .map(|place| (place, None))
            .collect();
        let current = self.current.as_mut().map(|(place, tracked)| (&*place, tracked));
        for (place, tracked) in self.others.iter_mut().chain(current) {
            if std::mem::take(&mut tracked.changed) {
                tracked.stored = true;
                splits.push((place.clone(), Some(tracked.known)));
            }
        }
        let total = std::mem::take(&mut self.total_changed).then_some(self.total);
        Changed { total, splits }
    }

    fn is_tracked(&self, place: &Place) -> bool {
        self.others.contains_key(place) || self.current.as_ref().is_some_and(|(current, _)| current == place)
    }

    fn raise(&mut self, progress: i64) -> i64 {
        let watermark = progress.saturating_sub(self.rules.lateness);
        self.total.watermark = self.total.watermark.max(watermark);
        self.total.watermark
    }

    fn switch_to(&mut self, place: Option<&Split>, time: i64) {
        let place = place.cloned();
        if let Some((before, tracked)) = self.current.take() {
            self.others.insert(before, tracked);
        }
        // One that had become idle begins anew.
        let tracked = self.others.remove(&place).unwrap_or(Tracked {
            known: OfSplit {
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

    /// Lets go of those that have become idle, and finds the minimum of the rest.
    fn look_at_others(&mut self) {
        let (rules, total) = (self.rules, self.total);
        let (mut behind, mut next_idle) = (i64::MAX, (i64::MAX, u64::MAX));
        let gone = &mut self.gone;
        self.others.retain(|place, Tracked { known, stored, .. }| {
            let lead = known.newest.saturating_add(rules.idle_lead);
            let records = known.records.saturating_add(rules.idle_records);
            let (led, passed) = (total.newest > lead, total.records > records);
            if led && passed {
                if *stored {
                    gone.push(place.clone());
                }
                return false;
            }
            if passed {
                next_idle.0 = next_idle.0.min(lead);
            } else {
                next_idle.1 = next_idle.1.min(records);
            }
            behind = behind.min(known.progress);
            true
        });
        (self.behind, self.next_idle) = (behind, next_idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        lateness: 10,
        by_first: false,
        idle_lead: 100,
        idle_records: 3,
    };

    fn split(name: &str) -> Split {
        Split::new("test", name)
    }

    fn watermarks(rules: Rules, records: &[(&str, i64)]) -> (Watermarks, Vec<i64>) {
        let mut watermarks = Watermarks::new(rules);
        let seen = records
            .iter()
            .map(|(name, time)| watermarks.record(Some(&split(name)), *time));
        let seen = seen.collect();
        (watermarks, seen)
    }

    #[test]
    fn it_is_the_newest_less_the_lateness_and_never_goes_back() {
        let (_, seen) = watermarks(RULES, &[("a", 100), ("a", 95), ("a", 105), ("a", 20)]);
        assert_eq!(seen, [90, 90, 95, 95]);
    }

    #[test]
    fn it_is_the_minimum_of_the_splits() {
        let (mut watermarks, seen) = watermarks(RULES, &[("a", 100), ("b", 200), ("a", 150), ("b", 210), ("a", 300)]);
        // The second split was not known when the first set it to 90.
        assert_eq!(seen, [90, 90, 140, 140, 200]);
        watermarks.leave(Some(&split("b")));
        assert_eq!(watermarks.total.watermark, 290);
    }

    #[test]
    fn splits_that_were_read_to_their_end_hold_nothing_back() {
        let (mut watermarks, _) = watermarks(RULES, &[("a", 100), ("b", 200)]);
        watermarks.leave(Some(&split("a")));
        assert_eq!(watermarks.total.watermark, 190);
        watermarks.leave(Some(&split("b")));
        assert_eq!(watermarks.record(Some(&split("c")), 195), 190);
    }

    #[test]
    fn the_last_to_leave_leaves_it_where_the_furthest_got() {
        let (mut one, _) = watermarks(RULES, &[("a", 300), ("b", 200)]);
        let (mut other, _) = watermarks(RULES, &[("a", 300), ("b", 200)]);
        for (watermarks, order) in [(&mut one, ["a", "b"]), (&mut other, ["b", "a"])] {
            for name in order {
                watermarks.leave(Some(&split(name)));
            }
            assert_eq!(watermarks.total.watermark, 290);
        }
    }

    #[test]
    fn a_silent_split_becomes_idle_by_what_the_others_bring() {
        // Far ahead, but not many records.
        let (mut watermarks, seen) = watermarks(RULES, &[("a", 100), ("b", 100), ("b", 500), ("b", 500)]);
        assert_eq!(seen[3], 90);
        assert_eq!(watermarks.record(Some(&split("b")), 400), 490);
        // It comes back, and is late.
        assert_eq!(watermarks.record(Some(&split("a")), 200), 490);
        let idle = |changed: Changed| changed.splits.into_iter().any(|(_, known)| known.is_none());
        assert!(!idle(watermarks.take_changed()));
    }

    #[test]
    fn many_records_alone_make_no_split_idle() {
        let mut records = vec![("a", 100)];
        records.extend([("b", 200); 50]);
        let (mut watermarks, seen) = watermarks(RULES, &records);
        assert_eq!(seen.last(), Some(&90));
        assert_eq!(watermarks.record(Some(&split("b")), 201), 191);
    }

    #[test]
    fn by_the_first_record_of_each_split_overlapping_files_are_not_late() {
        let by_first = Rules {
            by_first: true,
            ..RULES
        };
        let hours = [
            ("a1", 0),
            ("a1", 59),
            ("b1", 1),
            ("b1", 58),
            ("a2", 60),
            ("a2", 119),
            ("b2", 61),
        ];
        let mut watermarks = Watermarks::new(by_first);
        let mut before = None;
        for (name, time) in hours {
            if let Some(before) = before.replace(name).filter(|before| *before != name) {
                watermarks.leave(Some(&split(before)));
            }
            assert!(watermarks.record(Some(&split(name)), time) <= time, "{name} {time}");
        }
        assert_eq!(watermarks.total.watermark, 51);
    }

    #[test]
    fn what_changed_is_told_once() {
        let (mut watermarks, _) = watermarks(RULES, &[("a", 100), ("b", 200)]);
        let changed = watermarks.take_changed();
        assert_eq!((changed.total.is_some(), changed.splits.len()), (true, 2));
        watermarks.record(Some(&split("b")), 300);
        let changed = watermarks.take_changed();
        let names: Vec<_> = changed.splits.iter().map(|(place, _)| place.clone()).collect();
        assert_eq!(names, [Some(split("b"))]);
        watermarks.leave(Some(&split("a")));
        let changed = watermarks.take_changed();
        assert_eq!(changed.splits, [(Some(split("a")), None)]);
        assert!(watermarks.take_changed().total.is_none());
    }
}
