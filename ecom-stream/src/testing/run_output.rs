//! The output of a run, to compare it with that of another run.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::Arc;

use crate::contract::{Batch, Position, Record, Reject, Split, SplitState, StateChange};

/// The sum of the batches of one run, or of several that resume each other.
#[derive(Debug)]
pub(super) struct RunOutput<T> {
    records: Vec<Record<T>>,
    rejects: Vec<Reject>,
    positions: BTreeMap<Split, Position>,
    /// The numbers of records read and filtered.
    counts: BTreeMap<Split, (u64, u64)>,
    state: BTreeMap<(Arc<str>, Vec<u8>), StateChange>,
}

impl<T> Default for RunOutput<T> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            rejects: Vec::new(),
            positions: BTreeMap::new(),
            counts: BTreeMap::new(),
            state: BTreeMap::new(),
        }
    }
}

impl<T> FromIterator<Batch<T>> for RunOutput<T> {
    fn from_iter<I: IntoIterator<Item = Batch<T>>>(batches: I) -> Self {
        let mut seen = Self::default();
        seen.extend(batches);
        seen
    }
}

impl<T> Extend<Batch<T>> for RunOutput<T> {
    fn extend<I: IntoIterator<Item = Batch<T>>>(&mut self, batches: I) {
        for batch in batches {
            self.records.extend(batch.records);
            self.rejects.extend(batch.rejects);
            for count in batch.counts.into_iter().filter(|count| count.read + count.filtered > 0) {
                let (read, filtered) = self.counts.entry(count.split).or_default();
                *read += count.read;
                *filtered += count.filtered;
            }
            for position in batch.positions {
                self.positions.insert(position.split.clone(), position);
            }
            for change in batch.state {
                let entry = (change.operator.clone(), change.key.clone());
                match change.value {
                    Some(_) => self.state.insert(entry, change),
                    None => self.state.remove(&entry),
                };
            }
        }
    }
}

impl<T> RunOutput<T> {
    pub(super) fn rejects(&self) -> &[Reject] {
        &self.rejects
    }

    /// The number of records.
    pub(super) fn records(&self) -> u64 {
        self.records.len() as u64
    }

    /// The numbers of records read and filtered, over all splits.
    pub(super) fn totals(&self) -> (u64, u64) {
        let counts = self.counts.values();
        counts.fold((0, 0), |(read, filtered), count| (read + count.0, filtered + count.1))
    }

    /// The values in the state of an operator.
    pub(super) fn state_of(&self, operator: &str) -> Vec<&[u8]> {
        let entries = self.state.iter().filter(|((of, _), _)| **of == *operator);
        entries.filter_map(|(_, change)| change.value.as_deref()).collect()
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = &Position> {
        self.positions.values()
    }

    /// Sorts the records by split, since a source has an order within each split only.
    pub(super) fn split_by_split(mut self) -> Self {
        let of = |record: &Record<T>| record.origin.as_ref().map(|origin| origin.split.clone());
        self.records.sort_by_key(of);
        self
    }
}

impl<T: PartialEq + Debug> RunOutput<T> {
    /// Describes the first difference from `expected`; `None` if they are equal. Marks of positions are not compared.
    pub(super) fn difference(&self, expected: &Self) -> Option<String> {
        let end = |position: &Position| -> (Split, u64, u64, SplitState) {
            let Position {
                split,
                offset,
                record,
                state,
                mark: _,
            } = position.clone();
            (split, offset, record, state)
        };
        let ends = |seen: &Self| seen.positions.values().map(end).collect::<Vec<_>>();
        // A transform adds its rejects behind those of the batch, so their order depends on the batches.
        let rejects = |seen: &Self| {
            let mut rejects = seen.rejects.clone();
            rejects.sort_by_cached_key(|reject| {
                let place = reject.origin.as_ref();
                (
                    place.map(|origin| (origin.split.clone(), origin.record)),
                    format!("{reject:?}"),
                )
            });
            rejects
        };
        let list = |map: &BTreeMap<_, _>| map.clone().into_iter().collect::<Vec<(_, _)>>();
        first_difference("records", &self.records, &expected.records)
            .or_else(|| first_difference("rejects", &rejects(self), &rejects(expected)))
            .or_else(|| first_difference("counts (read, filtered)", &list(&self.counts), &list(&expected.counts)))
            .or_else(|| {
                let list = |seen: &Self| seen.state.clone().into_iter().collect::<Vec<_>>();
                first_difference("state entries", &list(self), &list(expected))
            })
            .or_else(|| first_difference("positions at the end", &ends(self), &ends(expected)))
    }
}

/// Describes the first difference between two lists; `what` names their items. `None` if they are equal.
pub(super) fn first_difference<T: PartialEq + Debug>(what: &str, seen: &[T], expected: &[T]) -> Option<String> {
    if seen == expected {
        return None;
    }
    let at = seen.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let mut text = format!(
        "{} {what} where {} were expected; the first difference is number {}: ",
        seen.len(),
        expected.len(),
        at + 1
    );
    let shown = |item: Option<&T>| item.map_or_else(|| "none".into(), |item| brief(item));
    let _ = write!(
        text,
        "{} where {} was expected",
        shown(seen.get(at)),
        shown(expected.get(at))
    );
    Some(text)
}

/// As [`first_difference`], whatever the order of the items.
pub(super) fn difference_in_any_order<T: PartialEq + Debug>(
    what: &str,
    seen: &[T],
    expected: impl IntoIterator<Item = T>,
) -> Option<String> {
    let expected: Vec<T> = expected.into_iter().collect();
    let sorted = |items: &mut Vec<&T>| items.sort_by_cached_key(|item| format!("{item:?}"));
    let mut seen: Vec<&T> = seen.iter().collect();
    let mut expected: Vec<&T> = expected.iter().collect();
    sorted(&mut seen);
    sorted(&mut expected);
    first_difference(what, &seen, &expected)
}

/// The debug text of an item, cut off if it is long.
fn brief(item: &impl Debug) -> String {
    const MAX_CHARS: usize = 400;
    let text = format!("{item:?}");
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
