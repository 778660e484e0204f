//! An epoch: the batches that one transaction commits, encoded as they come.

mod adding;
mod encoded;
mod limits;
mod table_rows;

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ecom_stream::{Batch, Counts, Origin, Position, Refusal, Reject, Split, StateChange, Times};
use time::{Date, OffsetDateTime};
use tokio::time::Instant;

use crate::in_flight::{InFlight, Key};
use crate::tables::Writes;
use encoded::{Encoded, Place};

pub(crate) use adding::Adding;
pub use limits::EpochLimits;
pub(crate) use table_rows::TableRows;

/// An epoch that touches so many partitions is full: each takes several locks, and the server has room for some
/// thousand.
pub(crate) const FULL_AT_DAYS: usize = 32;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Epoch {
    number: i64,
    limits: EpochLimits,
    encoded: Encoded,
    rows: Vec<Row>,
    fates: HashMap<usize, Fate>,
    refused: Vec<Key>,
    /// Those of the user's own.
    tables: Vec<TableRows>,
    table_rows: usize,
    rejects: Vec<Letter>,
    state: HashMap<(Arc<str>, Vec<u8>), StateChange>,
    splits: Vec<Progress>,
    by_split: HashMap<Split, usize>,
    days: BTreeSet<Date>,
    bytes: usize,
    since: Option<Instant>,
    input_bytes: u64,
    times: Times,
}

#[derive(Debug)]
struct Row {
    key: Key,
    place: Place,
    split: Option<usize>,
    origin: Option<Origin>,
}

/// Why a row is not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The table has it.
    Duplicate,
    /// An earlier row has its key, in this epoch or in an older one.
    Twin,
    /// The server doesn't take it.
    Refused(Refusal),
}

/// About what a change of state takes.
pub(crate) fn state_bytes(change: &StateChange) -> usize {
    const WITHOUT_CONTENT: usize = 100;
    WITHOUT_CONTENT + change.key.len() + change.value.as_ref().map_or(0, Vec::len)
}

/// A reject, and the split it counts for.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) reject: Reject,
    pub(crate) split_id: Option<i64>,
}

/// What an epoch does to one split.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) split: Split,
    pub(crate) split_id: i64,
    pub(crate) position: Option<Position>,
    pub(crate) counts: Counts,
}

impl Epoch {
    pub(crate) fn new(number: i64, limits: EpochLimits) -> Self {
        Self {
            number,
            limits,
            encoded: Encoded::default(),
            rows: Vec::new(),
            fates: HashMap::new(),
            refused: Vec::new(),
            tables: Vec::new(),
            table_rows: 0,
            rejects: Vec::new(),
            state: HashMap::new(),
            splits: Vec::new(),
            by_split: HashMap::new(),
            days: BTreeSet::new(),
            bytes: 0,
            since: None,
            input_bytes: 0,
            times: Times::default(),
        }
    }

    /// The one after this, with room for as many rows: growing takes longer than filling.
    pub(crate) fn next(&self) -> Self {
        Self {
            rows: Vec::with_capacity(self.rows.len()),
            ..Self::new(self.number + 1, self.limits)
        }
    }

    /// One more than that of the epoch before.
    pub(crate) fn number(&self) -> i64 {
        self.number
    }

    /// Whether there is nothing to commit.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.table_rows == 0
            && self.rejects.is_empty()
            && self.splits.is_empty()
            && self.state.is_empty()
    }

    /// How much of its limit it has used.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the next batch belongs to the next epoch.
    pub(crate) fn is_full(&self) -> bool {
        let is_full = self.rows.len() + self.table_rows + self.rejects.len() >= self.limits.max_rows
            || self.splits.len() >= self.limits.max_rows
            || self.bytes >= self.limits.max_bytes
            || self.days.len() >= FULL_AT_DAYS;
        // Whatever the limits, an epoch takes a batch.
        is_full && !self.is_empty()
    }

    /// Takes in a batch. `split_id` is asked for each split of it.
    pub(crate) fn add<T, W: Writes<T>>(
        &mut self,
        batch: Batch<T>,
        writes: &mut W,
        mut split_id: impl FnMut(&Split) -> i64,
        in_flight: &mut InFlight,
        now: OffsetDateTime,
    ) {
        self.since.get_or_insert_with(Instant::now);
        self.input_bytes += batch.bytes as u64;
        self.times.merge(&batch.times);
        self.tables.resize_with(W::TABLES, TableRows::default);
        for count in &batch.counts {
            let at = self.split(&count.split, &mut split_id);
            let counts = &mut self.splits[at].counts;
            counts.read += count.read;
            counts.filtered += count.filtered;
        }
        for position in batch.positions {
            let at = self.split(&position.split, &mut split_id);
            self.splits[at].position = Some(position);
        }
        for change in batch.state {
            self.bytes += state_bytes(&change);
            self.state.insert((change.operator.clone(), change.key.clone()), change);
        }
        let mut adding = Adding {
            epoch: self,
            split_id: &mut split_id,
            in_flight,
            now,
        };
        for reject in batch.rejects {
            adding.refuse(reject);
        }
        for record in batch.records {
            writes.add(record, 0, &mut adding);
        }
    }

    fn refuse(&mut self, reject: Reject, split_id: &mut dyn FnMut(&Split) -> i64) {
        let split = reject.origin.as_ref().map(|origin| self.split(&origin.split, split_id));
        if let Some(split) = split {
            self.splits[split].counts.rejected += 1;
        }
        self.bytes += reject.origin.as_ref().map_or(0, |origin| origin.raw.len());
        self.rejects.push(Letter {
            split_id: split.map(|split| self.splits[split].split_id),
            reject,
        });
    }

    fn split(&mut self, split: &Split, split_id: &mut dyn FnMut(&Split) -> i64) -> usize {
        // Records come in runs of one split: most often it is the last.
        if let Some(last) = self.splits.last()
            && last.split == *split
        {
            return self.splits.len() - 1;
        }
        if let Some(&at) = self.by_split.get(split) {
            return at;
        }
        self.splits.push(Progress {
            split: split.clone(),
            split_id: split_id(split),
            position: None,
            counts: Counts::default(),
        });
        self.by_split.insert(split.clone(), self.splits.len() - 1);
        self.splits.len() - 1
    }

    /// To be called when all is added, before [`pieces`](Self::pieces).
    pub(crate) fn seal(&mut self) {
        self.encoded.seal();
        self.tables.iter_mut().for_each(TableRows::seal);
    }

    /// The number of rows of all tables: what the limit counts.
    pub(crate) fn all_rows(&self) -> usize {
        self.rows.len() + self.table_rows
    }

    /// The rows for the tables of the user's own that have any, with the numbers of the tables.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (usize, &TableRows)> {
        self.tables.iter().enumerate().filter(|(_, rows)| rows.len() > 0)
    }

    /// The rows for the table of that number.
    pub(crate) fn table(&self, number: usize) -> Option<&TableRows> {
        self.tables.get(number)
    }

    /// The same, to be changed.
    pub(crate) fn table_mut(&mut self, number: usize) -> Option<&mut TableRows> {
        self.tables.get_mut(number)
    }

    /// The number of events, copied or not.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many rows of a range are to be copied.
    pub(crate) fn copied(&self, range: Range<usize>) -> u64 {
        let left_out = self.fates.keys().filter(|&row| range.contains(row)).count();
        (range.len() - left_out) as u64
    }

    /// The COPY data of the rows in a range, without those that have a [`Fate`], from header to trailer; each piece is made
    /// when its turn comes.
    pub(crate) fn pieces(&self, range: Range<usize>) -> impl Iterator<Item = Bytes> {
        let is_scattered = self.is_scattered();
        if !is_scattered && !self.has_extra() && self.fates.is_empty() && range == (0..self.rows.len()) {
            return self.encoded.pieces(None);
        }
        let mut rows: Vec<usize> = range.filter(|at| !self.fates.contains_key(at)).collect();
        if is_scattered {
            rows.sort_unstable_by_key(|&at| self.rows[at].key.id);
        }
        self.encoded
            .pieces(Some(rows.iter().map(|&at| self.rows[at].place).collect()))
    }

    /// Whether an event has columns of its file besides its own: then the rows of all are copied with them.
    pub(crate) fn has_extra(&self) -> bool {
        self.encoded.has_extra()
    }

    /// Whether the ids are in no order, as random ones are. Copied in theirs, such rows cost the server a fifth less: it
    /// finds its way in the index of the key from one row to the next.
    fn is_scattered(&self) -> bool {
        // As far as ids that begin with a time have it in milliseconds.
        let prefix = |row: &Row| row.key.id.as_u128() >> 80;
        let descents = self.rows.windows(2).filter(|two| prefix(&two[1]) < prefix(&two[0]));
        descents.count() > self.rows.len() / 4
    }

    /// The keys of the rows that have no fate yet, with the numbers of the rows.
    pub(crate) fn open_keys(&self) -> (Vec<usize>, Vec<Key>) {
        let open = (0..self.rows.len()).filter(|at| !self.fates.contains_key(at));
        open.map(|at| (at, self.rows[at].key)).unzip()
    }

    /// Leaves a row out of the copy. Where the server refuses it, the next row with its key takes its place.
    pub(crate) fn leave_out(&mut self, row: usize, fate: Fate) {
        let is_refused = matches!(fate, Fate::Refused(_));
        self.fates.insert(row, fate);
        if is_refused {
            let key = self.rows[row].key;
            if !self.take_place(&key) {
                self.refused.push(key);
            }
        }
    }

    /// Copies the first row that was left out because an earlier one had its key, if there is one.
    pub(crate) fn take_place(&mut self, key: &Key) -> bool {
        let twins = self.fates.iter().filter(|(_, fate)| **fate == Fate::Twin);
        let next = twins
            .map(|(&row, _)| row)
            .filter(|&row| self.rows[row].key == *key)
            .min();
        if let Some(row) = next {
            self.fates.remove(&row);
            self.days.insert(key.time().date());
        }
        next.is_some()
    }

    /// The keys of rows that the server refused, and whose place no other row of the epoch took.
    pub(crate) fn refused_keys(&self) -> impl Iterator<Item = Key> {
        self.refused.iter().copied()
    }

    /// The days whose partitions the rows need.
    pub(crate) fn days(&self) -> &BTreeSet<Date> {
        &self.days
    }

    /// The state to write.
    pub(crate) fn state(&self) -> impl Iterator<Item = &StateChange> {
        self.state.values()
    }

    /// The letters to write: the rejects of the batches, and the rows that the server refused.
    pub(crate) fn letters(&self) -> Vec<Letter> {
        let clone = |letter: &Letter| Letter {
            reject: letter.reject.clone(),
            split_id: letter.split_id,
        };
        let mut letters: Vec<Letter> = self.rejects.iter().map(clone).collect();
        for (&at, fate) in &self.fates {
            if let Fate::Refused(refusal) = fate {
                let row = &self.rows[at];
                letters.push(Letter {
                    reject: Reject::new(row.origin.clone(), refusal.clone()),
                    split_id: row.split.map(|split| self.splits[split].split_id),
                });
            }
        }
        for table in &self.tables {
            for (&at, refusal) in &table.refused {
                let row = &table.rows[at];
                letters.push(Letter {
                    reject: Reject::new(row.origin.clone(), refusal.clone()),
                    split_id: row.split.map(|split| self.splits[split].split_id),
                });
            }
        }
        letters
    }

    /// How long ago its first batch came.
    pub(crate) fn age(&self) -> Duration {
        self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// The bytes of input that it stands for.
    pub(crate) fn input_bytes(&self) -> u64 {
        self.input_bytes
    }

    /// How old its data are.
    pub(crate) fn times(&self) -> Times {
        self.times
    }

    /// What the epoch does to each split, with the fates of the rows counted in.
    pub(crate) fn progress(&self) -> Vec<Progress> {
        let mut progress: Vec<Progress> = self
            .splits
            .iter()
            .map(|of| Progress {
                split: of.split.clone(),
                split_id: of.split_id,
                position: of.position.clone(),
                counts: of.counts,
            })
            .collect();
        for (split, outcome) in self.outcomes() {
            if let Some(split) = split {
                *outcome(&mut progress[split].counts) += 1;
            }
        }
        progress
    }

    /// What became of what is of no split, such as the rows of aggregates.
    pub(crate) fn counts_of_no_split(&self) -> Counts {
        let rejected = self.rejects.iter().filter(|letter| letter.split_id.is_none());
        let mut counts = Counts {
            rejected: rejected.count() as u64,
            ..Counts::default()
        };
        for (_, outcome) in self.outcomes().filter(|(split, _)| split.is_none()) {
            *outcome(&mut counts) += 1;
        }
        counts
    }

    /// For each row its split, and which count it is in.
    fn outcomes(&self) -> impl Iterator<Item = (Option<usize>, fn(&mut Counts) -> &mut u64)> {
        let stored: fn(&mut Counts) -> &mut u64 = |counts| &mut counts.stored;
        let rejected: fn(&mut Counts) -> &mut u64 = |counts| &mut counts.rejected;
        let duplicate: fn(&mut Counts) -> &mut u64 = |counts| &mut counts.duplicates;
        let events = self.rows.iter().enumerate().map(move |(at, row)| {
            let outcome = match self.fates.get(&at) {
                None => stored,
                Some(Fate::Duplicate | Fate::Twin) => duplicate,
                Some(Fate::Refused(_)) => rejected,
            };
            (row.split, outcome)
        });
        let of_tables = self.tables.iter().flat_map(move |table| {
            let rows = table.rows.iter().enumerate();
            rows.map(move |(at, row)| match table.refused.contains_key(&at) {
                true => (row.split, rejected),
                false => (row.split, stored),
            })
        });
        events.chain(of_tables)
    }
}

#[cfg(test)]
mod tests;
