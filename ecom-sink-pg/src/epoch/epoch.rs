//! An epoch: its rows, rejects, state and positions, until they are committed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ecom_stream::{Batch, Counts, Origin, Position, Refusal, Reject, Split, StateChange, Times};
use time::Date;
use tokio::time::Instant;

use super::uncommitted_keys::EventKey;

use super::encoded::{Encoded, RowSpan};
use super::limits::EpochLimits;
use super::table_rows::TableRows;

/// An epoch that touches this many days is full: each partition takes several locks, and the
/// server has room for some thousand.
pub(crate) const MAX_DAYS: usize = 32;

/// The batches that one transaction commits, encoded as they arrive.
#[derive(Debug)]
pub(crate) struct Epoch {
    pub(super) number: i64,
    pub(super) limits: EpochLimits,
    pub(super) encoded: Encoded,
    /// The events, in the order in which they arrived. Other fields refer to them by index.
    pub(super) rows: Vec<Row>,
    /// Events that are not copied, and why.
    pub(super) left_out: HashMap<usize, LeftOut>,
    /// The keys of rows that the server rejected and that no other row of the epoch replaces.
    pub(super) refused: Vec<EventKey>,
    /// The rows of the user's own tables, by the number of the table.
    pub(super) tables: Vec<TableRows>,
    /// The number of rows in `tables`.
    pub(super) table_rows: usize,
    /// Rejects of the batches.
    pub(super) rejects: Vec<DeadLetterRow>,
    pub(super) state: HashMap<(Arc<str>, Vec<u8>), StateChange>,
    /// What the epoch does to each split. Rows refer to them by index.
    pub(super) splits: Vec<SplitDelta>,
    pub(super) by_split: HashMap<Split, usize>,
    /// The days whose partitions are needed.
    pub(super) days: BTreeSet<Date>,
    /// The size that counts against the limit.
    pub(super) bytes: usize,
    /// The bytes of input that its records and rejects keep in memory.
    pub(super) kept_bytes: usize,
    /// When its first batch arrived.
    pub(super) since: Option<Instant>,
    pub(super) input_bytes: u64,
    pub(super) times: Times,
}

/// An event of an epoch.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: EventKey,
    pub(super) span: RowSpan,
    /// The index of its split in the epoch; `None` for a record that was computed.
    pub(super) split: Option<usize>,
    pub(super) origin: Option<Origin>,
}

/// Why a row is not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LeftOut {
    /// The table has a row with its key already.
    Duplicate,
    /// An earlier row, of this epoch or of an older one that is not committed yet, has its key.
    DuplicateInFlight,
    /// The server rejects it.
    Refused(Refusal),
}

/// The rows of an epoch that are left out at some time.
#[derive(Debug)]
pub(crate) struct LeftOutRows {
    events: HashMap<usize, LeftOut>,
    refused: Vec<EventKey>,
    tables: Vec<BTreeMap<usize, Refusal>>,
}

/// About how many bytes a change of state takes.
pub(crate) fn state_bytes(change: &StateChange) -> usize {
    const WITHOUT_CONTENT: usize = 100;
    WITHOUT_CONTENT + change.key.len() + change.value.as_ref().map_or(0, Vec::len)
}

/// How many bytes of input a batch keeps in memory. The bytes of its records and rejects are slices of what was read at once: one
/// of them keeps all of that.
pub(crate) fn kept_bytes<T>(batch: &Batch<T>) -> usize {
    let records = batch.records.iter().filter_map(|record| record.origin.as_ref());
    let rejects = batch.rejects.iter().filter_map(|reject| reject.origin.as_ref());
    let mut kept = records.chain(rejects).map(|origin| origin.raw.len()).peekable();
    match kept.peek() {
        None => 0,
        Some(_) => batch.bytes.max(kept.sum()),
    }
}

/// A reject, and the number of the split that it counts for.
#[derive(Debug)]
pub(crate) struct DeadLetterRow {
    pub(crate) reject: Reject,
    pub(crate) split_id: Option<i64>,
}

/// What an epoch does to one split: counts that are added to those of the ledger, and a position
/// that replaces the one there.
#[derive(Debug)]
pub(crate) struct SplitDelta {
    pub(crate) split: Split,
    pub(crate) split_id: i64,
    pub(crate) position: Option<Position>,
    pub(crate) counts: Counts,
}

impl Epoch {
    /// An empty epoch with that number.
    pub(crate) fn new(number: i64, limits: EpochLimits) -> Self {
        Self {
            number,
            limits,
            encoded: Encoded::default(),
            rows: Vec::new(),
            left_out: HashMap::new(),
            refused: Vec::new(),
            tables: Vec::new(),
            table_rows: 0,
            rejects: Vec::new(),
            state: HashMap::new(),
            splits: Vec::new(),
            by_split: HashMap::new(),
            days: BTreeSet::new(),
            bytes: 0,
            kept_bytes: 0,
            since: None,
            input_bytes: 0,
            times: Times::default(),
        }
    }

    /// The next epoch, with room for as many rows as this one has: growing takes longer than
    /// filling.
    pub(crate) fn next(&self) -> Self {
        Self {
            rows: Vec::with_capacity(self.rows.len()),
            ..Self::new(self.number + 1, self.limits)
        }
    }

    /// The number of the epoch: one more than that of the epoch before.
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

    /// How much of [`EpochLimits::max_bytes`] is used.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How much of [`EpochLimits::max_kept_bytes`] is used.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// Whether the next batch belongs to the next epoch. An empty epoch is never full, whatever
    /// the limits: each takes at least one batch.
    pub(crate) fn is_full(&self) -> bool {
        let is_full = self.rows.len() + self.table_rows + self.rejects.len() >= self.limits.max_rows
            || self.splits.len() >= self.limits.max_rows
            || self.bytes >= self.limits.max_bytes
            || self.kept_bytes >= self.limits.max_kept_bytes()
            || self.days.len() >= MAX_DAYS;
        // Whatever the limits, an epoch takes a batch.
        is_full && !self.is_empty()
    }

    /// Ends the epoch: call it when all batches are added, before [`pieces`](Self::pieces).
    pub(crate) fn seal(&mut self) {
        self.encoded.seal();
        self.tables.iter_mut().for_each(TableRows::seal);
    }

    /// The number of rows of all tables, which [`EpochLimits::max_rows`] limits.
    pub(crate) fn all_rows(&self) -> usize {
        self.rows.len() + self.table_rows
    }

    /// The user's tables that have rows in this epoch, with the numbers of the tables.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (usize, &TableRows)> {
        self.tables.iter().enumerate().filter(|(_, rows)| rows.len() > 0)
    }

    /// The rows of the user's table with that number.
    pub(crate) fn table(&self, number: usize) -> Option<&TableRows> {
        self.tables.get(number)
    }

    /// The rows of the user's table with that number, to be changed.
    pub(crate) fn table_mut(&mut self, number: usize) -> Option<&mut TableRows> {
        self.tables.get_mut(number)
    }

    /// The number of events, whether they are copied or not.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many events of a range are copied.
    pub(crate) fn rows_to_copy(&self, range: Range<usize>) -> u64 {
        let left_out = self.left_out.keys().filter(|&row| range.contains(row)).count();
        (range.len() - left_out) as u64
    }

    /// The COPY data of the events in a range, without those that are [`LeftOut`], from header to
    /// trailer. Each piece is built when it is needed.
    pub(crate) fn pieces(&self, range: Range<usize>) -> impl Iterator<Item = Bytes> {
        let is_scattered = self.is_scattered();
        if !is_scattered && !self.has_further() && self.left_out.is_empty() && range == (0..self.rows.len()) {
            return self.encoded.pieces(None);
        }
        let mut rows: Vec<usize> = range.filter(|at| !self.left_out.contains_key(at)).collect();
        if is_scattered {
            rows.sort_unstable_by_key(|&at| self.rows[at].key.id);
        }
        self.encoded
            .pieces(Some(rows.iter().map(|&at| self.rows[at].span).collect()))
    }

    /// Whether any event has one of the columns that few have. Then all rows are copied with them.
    pub(crate) fn has_further(&self) -> bool {
        self.encoded.has_further()
    }

    /// Whether the ids are in no order, as random ones are. Such rows are copied in the order of
    /// their ids, which costs the server a fifth less: it finds its way in the index of the key
    /// from one row to the next.
    fn is_scattered(&self) -> bool {
        // As far as ids that begin with a time have it in milliseconds.
        let prefix = |row: &Row| row.key.id.as_u128() >> 80;
        let descents = self.rows.windows(2).filter(|two| prefix(&two[1]) < prefix(&two[0]));
        descents.count() > self.rows.len() / 4
    }

    /// The keys of the rows that are not left out, with the indexes of the rows.
    pub(crate) fn open_keys(&self) -> (Vec<usize>, Vec<EventKey>) {
        let open = (0..self.rows.len()).filter(|at| !self.left_out.contains_key(at));
        open.map(|at| (at, self.rows[at].key)).unzip()
    }

    /// Leaves a row out of the copy. If the server rejects it, the next row with its key is
    /// copied instead.
    pub(crate) fn leave_out(&mut self, row: usize, why: LeftOut) {
        let is_refused = matches!(why, LeftOut::Refused(_));
        self.left_out.insert(row, why);
        if is_refused {
            let key = self.rows[row].key;
            if !self.reinstate_duplicate(&key) {
                self.refused.push(key);
            }
        }
    }

    /// Which rows are left out now, to be [restored](Self::restore).
    pub(crate) fn left_out(&self) -> LeftOutRows {
        LeftOutRows {
            events: self.left_out.clone(),
            refused: self.refused.clone(),
            tables: self.tables.iter().map(TableRows::refused).collect(),
        }
    }

    /// Leaves out the rows that were left out before, and no others.
    pub(crate) fn restore(&mut self, before: LeftOutRows) {
        self.left_out = before.events;
        self.refused = before.refused;
        for (table, refused) in self.tables.iter_mut().zip(before.tables) {
            table.set_refused(refused);
        }
    }

    /// Copies the first row after all that was left out because an earlier row had its key.
    /// Returns whether there is one.
    pub(crate) fn reinstate_duplicate(&mut self, key: &EventKey) -> bool {
        let duplicates = self
            .left_out
            .iter()
            .filter(|(_, why)| **why == LeftOut::DuplicateInFlight);
        let next = duplicates
            .map(|(&row, _)| row)
            .filter(|&row| self.rows[row].key == *key)
            .min();
        if let Some(row) = next {
            self.left_out.remove(&row);
            self.days.insert(key.time().date());
        }
        next.is_some()
    }

    /// The keys of rows that the server rejected and that no other row of the epoch replaces.
    pub(crate) fn refused_keys(&self) -> impl Iterator<Item = EventKey> {
        self.refused.iter().copied()
    }

    /// The days whose partitions the rows need.
    pub(crate) fn days(&self) -> &BTreeSet<Date> {
        &self.days
    }

    /// The changes of operator state to write.
    pub(crate) fn state(&self) -> impl Iterator<Item = &StateChange> {
        self.state.values()
    }

    /// How long ago its first batch arrived.
    pub(crate) fn age(&self) -> Duration {
        self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// The number of input bytes that its batches stand for.
    pub(crate) fn input_bytes(&self) -> u64 {
        self.input_bytes
    }

    /// The oldest and newest times of its data, for the lag.
    pub(crate) fn times(&self) -> Times {
        self.times
    }
}
