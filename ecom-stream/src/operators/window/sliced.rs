//! [`SlicedOperator`]: tumbling and hopping windows, made of slices of time.
//!
//! The state has an entry for each slice and key, with the accumulator of that key in that slice, and one for the watermark.
//! A record changes one entry, however many windows it is in.
//!
//! When the watermark passes the end of a window, its slices are merged key by key and the results emitted. A slice is deleted
//! when the watermark has passed the end of its last window and the allowed lateness after it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::result::{Firing, Window, Windowed};
use super::slices::Slices;
use super::spec::Windows;
use super::watermark::WindowWatermark;
use crate::contract::{Position, Record, Result, StateChange};
use crate::operators::aggregate::Aggregate;
use crate::operators::event_time::{LatePolicy, Timed, Timestamp, emit_or_reject_late, micros};
use crate::operators::state::{Changes, Operator, Output, decode_key, decode_value, schema_hash};

/// The accumulators of a slice by key, in the order of the first records of the keys. So `changed` and `new` can refer to an
/// accumulator by its index, without a copy of its key.
type Slice<K, A> = IndexMap<K, Slot<A>>;

/// An accumulator in memory, with what has to be written of it.
#[derive(Debug)]
struct Slot<A> {
    acc: A,
    /// Whether it has changed since early results were last emitted.
    is_new: bool,
    /// Whether it has changed since the last save.
    changed: bool,
    /// Whether the state has an entry of it, which must be deleted with the slice.
    stored: bool,
}

/// The value of a state entry.
#[derive(Serialize, Deserialize)]
struct Entry<A> {
    is_new: bool,
    acc: A,
}

/// The key of a state entry: the start of the slice, and the key of the records; `None` for the entry of the watermark.
type Key<K> = (i64, Option<K>);

/// The slice in the key of the watermark's entry, which belongs to no slice.
const WATERMARK_ENTRY: i64 = i64::MIN;

/// The state of a running aggregate over tumbling or hopping windows; see the module.
pub(super) struct SlicedOperator<F, G, K, A, L> {
    windows: Windows,
    slices: Slices,
    key: F,
    aggregate: G,
    /// The slices that are not deleted yet, by their starts.
    open: BTreeMap<i64, Slice<K, A>>,
    /// The ends of the windows whose results are not emitted yet.
    due: BTreeSet<i64>,
    watermark: WindowWatermark,
    /// The accumulators that have changed since the last save: a slice, and the index in it.
    changed: Vec<(i64, usize)>,
    /// The accumulators that have changed since early results were last emitted.
    new: Vec<(i64, usize)>,
    /// The stored accumulators of deleted slices, whose entries must be deleted.
    closed: Vec<(i64, K)>,
    late: std::marker::PhantomData<L>,
}

impl<F, G, K: DeserializeOwned, A: DeserializeOwned, L> SlicedOperator<F, G, K, A, L> {
    /// An operator without state. `slices` must be those of `windows`.
    pub(super) fn new(windows: Windows, slices: Slices, key: F, aggregate: G) -> Self {
        Self {
            windows,
            slices,
            key,
            aggregate,
            open: BTreeMap::new(),
            due: BTreeSet::new(),
            watermark: WindowWatermark::new(schema_hash::<(K, A)>()),
            changed: Vec::new(),
            new: Vec::new(),
            closed: Vec::new(),
            late: std::marker::PhantomData,
        }
    }
}

impl<F, G, K, A, L> SlicedOperator<F, G, K, A, L> {
    /// The watermark at which a window that ends at `end` takes no more late records.
    fn kept_until(&self, end: i64) -> i64 {
        end.saturating_add(micros(self.windows.allowed_lateness))
    }
}

impl<T, K, F, G, L> Operator<Timed<T>> for SlicedOperator<F, G, K, G::Acc, L>
where
    T: Send + 'static,
    K: Ord + Hash + Clone + Serialize + DeserializeOwned + Send + 'static,
    F: Fn(&T) -> K + Send,
    G: Aggregate<T>,
    L: LatePolicy<T>,
{
    type Out = L::Out<Windowed<K, G::Out>>;

    const FORMAT: u16 = 2;

    fn check(&self) -> Result<()> {
        self.windows.check()
    }

    fn load(&mut self, entry: &StateChange) -> Result<()> {
        let (slice, key): Key<K> = decode_key(entry, <Self as Operator<Timed<T>>>::FORMAT)?;
        let Some(key) = key else {
            return self.watermark.load(entry, &self.windows);
        };
        let Entry { is_new, acc } = decode_value(entry)?;
        let slot = Slot {
            acc,
            is_new,
            changed: false,
            stored: true,
        };
        self.open.entry(slice).or_default().insert(key, slot);
        Ok(())
    }

    fn loaded(&mut self) -> Result<()> {
        for (slice, slots) in &self.open {
            let ends = self.slices.ends(*slice);
            self.due.extend(ends.filter(|end| *end > self.watermark.current));
            let new = slots.values().enumerate().filter(|(_, slot)| slot.is_new);
            self.new.extend(new.map(|(at, _)| (*slice, at)));
        }
        Ok(())
    }

    fn process(&mut self, records: Vec<Record<Timed<T>>>, _: &[Position], out: &mut Output<Self::Out>) {
        for Record { value: timed, origin } in records {
            self.advance::<T>(timed.watermark.as_micros(), out);
            let slice = self.slices.slice_of(timed.time.as_micros());
            if self.kept_until(self.slices.last_end(slice)) <= self.watermark.current {
                emit_or_reject_late::<_, _, L>(timed, origin, self.watermark.current, out);
                continue;
            }
            self.add(slice, &timed, out);
        }
    }

    fn save(&mut self, changes: &mut Changes<'_>) -> Result<()> {
        changes.reserve(self.changed.len() + self.closed.len() + 1);
        for (slice, key) in self.closed.drain(..) {
            changes.delete(&(slice, Some(key)))?;
        }
        for (slice, at) in self.changed.drain(..) {
            let slot = self.open.get_mut(&slice).and_then(|slots| slots.get_index_mut(at));
            // The slice may have been deleted in the same batch.
            let Some((key, slot)) = slot else { continue };
            changes.put(&(slice, Some(key)), &(slot.is_new, &slot.acc))?;
            slot.changed = false;
            slot.stored = true;
        }
        let is_empty = self.open.is_empty();
        self.watermark
            .save(&(WATERMARK_ENTRY, None::<K>), &self.windows, is_empty, changes)
    }

    fn end(&mut self, out: &mut Output<Self::Out>) {
        self.advance::<T>(i64::MAX, out);
    }
}

impl<F, G, K, A, L> SlicedOperator<F, G, K, A, L>
where
    K: Ord + Hash + Clone + Send + 'static,
{
    /// Adds a record that is not late.
    fn add<T>(&mut self, slice: i64, timed: &Timed<T>, out: &mut Output<L::Out<Windowed<K, G::Out>>>)
    where
        F: Fn(&T) -> K,
        G: Aggregate<T, Acc = A>,
        L: LatePolicy<T>,
    {
        let key = (self.key)(&timed.value);
        let slots = self.open.entry(slice).or_insert_with(|| {
            let ends = self.slices.ends(slice);
            self.due.extend(ends.filter(|end| *end > self.watermark.current));
            Slice::default()
        });
        let entry = slots.entry(key);
        let at = entry.index();
        let slot = entry.or_insert_with(|| Slot {
            acc: self.aggregate.empty(),
            is_new: false,
            changed: false,
            stored: false,
        });
        self.aggregate.add(&mut slot.acc, &timed.value, timed.time);
        if !std::mem::replace(&mut slot.changed, true) {
            self.changed.push((slice, at));
        }
        if self.windows.early.is_some() && !std::mem::replace(&mut slot.is_new, true) {
            self.new.push((slice, at));
        }
        if !self.windows.allowed_lateness.is_zero() && slice < self.watermark.current {
            self.update(slice, at, out);
        }
    }

    /// Emits again the results of the windows that were emitted before and now have one more record.
    fn update<T>(&self, slice: i64, at: usize, out: &mut Output<L::Out<Windowed<K, G::Out>>>)
    where
        G: Aggregate<T, Acc = A>,
        L: LatePolicy<T>,
    {
        let Some((key, _)) = self.open.get(&slice).and_then(|slots| slots.get_index(at)) else {
            return;
        };
        let was_out = |end: &i64| *end <= self.watermark.current && self.kept_until(*end) > self.watermark.current;
        let mut ends: Vec<i64> = self.slices.ends(slice).filter(was_out).collect();
        ends.reverse();
        for end in ends {
            self.fire_key(end, key, Firing::Late, out);
        }
    }

    /// Moves the watermark to `to`: emits the windows that are due, and deletes the slices that no window needs any more.
    fn advance<T>(&mut self, to: i64, out: &mut Output<L::Out<Windowed<K, G::Out>>>)
    where
        G: Aggregate<T, Acc = A>,
        L: LatePolicy<T>,
    {
        let Some(from) = self.watermark.advance(to) else { return };
        while let Some(end) = self.due.first().copied().filter(|end| *end <= to) {
            self.due.pop_first();
            self.fire(end, out);
        }
        while let Some(slots) = self.open.first_entry() {
            let slice = *slots.key();
            let kept_until = self
                .slices
                .last_end(slice)
                .saturating_add(micros(self.windows.allowed_lateness));
            if kept_until > to {
                break;
            }
            let stored = slots.remove().into_iter().filter(|(_, slot)| slot.stored);
            self.closed.extend(stored.map(|(key, _)| (slice, key)));
        }
        if self.windows.fires_early(from, to) {
            self.fire_early(out);
        }
    }

    /// Emits the results of the window that ends at `end`, in the order of their keys.
    fn fire<T>(&self, end: i64, out: &mut Output<L::Out<Windowed<K, G::Out>>>)
    where
        G: Aggregate<T, Acc = A>,
        L: LatePolicy<T>,
    {
        let start = end.saturating_sub(self.slices.size);
        if self.slices.are_windows() {
            // Looked up by its span, because an end after the last timestamp is clamped to that, and the start with it.
            let Some((_, slots)) = self.open.range(start..end).next() else {
                return;
            };
            let mut results: Vec<_> = slots.iter().collect();
            results.sort_unstable_by_key(|(key, _)| *key);
            out.reserve(results.len());
            for (key, slot) in results {
                self.push(end, key.clone(), &slot.acc, Firing::OnTime, out);
            }
            return;
        }
        let mut merged: BTreeMap<&K, A> = BTreeMap::new();
        for (key, slot) in self.open.range(start..end).flat_map(|(_, slots)| slots) {
            let acc = merged.entry(key).or_insert_with(|| self.aggregate.empty());
            self.aggregate.merge(acc, &slot.acc);
        }
        out.reserve(merged.len());
        for (key, acc) in merged {
            self.push(end, key.clone(), &acc, Firing::OnTime, out);
        }
    }

    /// Emits the results so far of the open windows of each accumulator that has changed since the last time.
    fn fire_early<T>(&mut self, out: &mut Output<L::Out<Windowed<K, G::Out>>>)
    where
        G: Aggregate<T, Acc = A>,
        L: LatePolicy<T>,
    {
        let mut due = BTreeSet::new();
        for (slice, at) in std::mem::take(&mut self.new) {
            let slot = self.open.get_mut(&slice).and_then(|slots| slots.get_index_mut(at));
            let Some((key, slot)) = slot else { continue };
            slot.is_new = false;
            if !std::mem::replace(&mut slot.changed, true) {
                self.changed.push((slice, at));
            }
            let open = self.slices.ends(slice).filter(|end| *end > self.watermark.current);
            due.extend(open.map(|end| (end, key.clone())));
        }
        for (end, key) in due {
            self.fire_key(end, &key, Firing::Early, out);
        }
    }

    /// Emits the result of one key in the window that ends at `end`.
    fn fire_key<T>(&self, end: i64, key: &K, firing: Firing, out: &mut Output<L::Out<Windowed<K, G::Out>>>)
    where
        G: Aggregate<T, Acc = A>,
        L: LatePolicy<T>,
    {
        let mut acc = self.aggregate.empty();
        let slices = self.open.range(end.saturating_sub(self.slices.size)..end);
        for slot in slices.filter_map(|(_, slots)| slots.get(key)) {
            self.aggregate.merge(&mut acc, &slot.acc);
        }
        self.push(end, key.clone(), &acc, firing, out);
    }

    fn push<T>(&self, end: i64, key: K, acc: &A, firing: Firing, out: &mut Output<L::Out<Windowed<K, G::Out>>>)
    where
        G: Aggregate<T, Acc = A>,
        L: LatePolicy<T>,
    {
        let window = Window {
            start: Timestamp::from_micros(end.saturating_sub(self.slices.size)),
            end: Timestamp::from_micros(end),
        };
        let value = self.aggregate.result(acc);
        let result = Windowed {
            key,
            window,
            value,
            firing,
        };
        out.push(L::result(result), None);
    }
}
