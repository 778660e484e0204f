//! Tumbling and hopping windows.

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

/// The accumulators of a slice by key, in the order in which the keys came.
type Slice<K, A> = IndexMap<K, Slot<A>>;

#[derive(Debug)]
struct Slot<A> {
    acc: A,
    /// Since early results came out last.
    is_new: bool,
    /// Since it was saved last.
    changed: bool,
    /// Whether it is in the state.
    stored: bool,
}

/// What the state says of an accumulator.
#[derive(Serialize, Deserialize)]
struct Entry<A> {
    is_new: bool,
    acc: A,
}

/// The key of an accumulator in the state: the start of its slice, and its key.
type Key<K> = (i64, Option<K>);

/// What stands in place of a slice for the clock, which has no key.
const WATERMARK_ENTRY: i64 = i64::MIN;

pub(super) struct SlicedOperator<F, G, K, A, L> {
    windows: Windows,
    slices: Slices,
    key: F,
    aggregate: G,
    /// By their starts.
    open: BTreeMap<i64, Slice<K, A>>,
    /// The ends of windows that have not come out.
    due: BTreeSet<i64>,
    watermark: WindowWatermark,
    /// Slices and places in them that changed since they were saved.
    changed: Vec<(i64, usize)>,
    /// Those that changed since early results came out last.
    new: Vec<(i64, usize)>,
    /// What is in the state and has closed.
    closed: Vec<(i64, K)>,
    late: std::marker::PhantomData<L>,
}

impl<F, G, K: DeserializeOwned, A: DeserializeOwned, L> SlicedOperator<F, G, K, A, L> {
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
    /// Until when a window that ends at `end` is kept.
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
            // It may have closed in the same batch.
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

    /// Lets the results of windows out again that were out and have a record more.
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

    /// Moves event time on: what is due comes out, and what is no longer kept goes.
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

    /// Lets out the results of the window that ends at `end`, in the order of their keys.
    fn fire<T>(&self, end: i64, out: &mut Output<L::Out<Windowed<K, G::Out>>>)
    where
        G: Aggregate<T, Acc = A>,
        L: LatePolicy<T>,
    {
        let start = end.saturating_sub(self.slices.size);
        if self.slices.are_windows() {
            // By its span, for an end beyond the last time there is has been moved to that.
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

    /// Lets out the results so far that changed, of the windows that are open.
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
