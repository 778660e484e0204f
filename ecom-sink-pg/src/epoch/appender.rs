//! Appends batches and their records to an epoch.

use ecom_stream::{Batch, Counts, Event, Origin, Reason, Record, Refusal, Reject, Split};
use time::macros::date;
use time::{Date, OffsetDateTime, UtcOffset};
use tokio::time::Instant;

use super::epoch::{DeadLetterRow, Epoch, LeftOut, Row, SplitDelta, kept_bytes, state_bytes};
use super::row::RowOrigin;
use super::table_rows::TableRows;
use super::uncommitted_keys::{EventKey, UncommittedKeys};
use crate::tables::{AddRows, Tables};

/// The first and the last day for which partitions can be created.
const FIRST_DAY: Date = date!(0001 - 01 - 01);
const LAST_DAY: Date = date!(9999 - 12 - 30);

impl Epoch {
    /// Appends a batch. `split_id` is called for each split of it that is new to the epoch. `now`
    /// is the processing time of events that have none.
    pub(crate) fn add<T, W: Tables<T>>(
        &mut self,
        batch: Batch<T>,
        writes: &mut W,
        mut split_id: impl FnMut(&Split) -> i64,
        uncommitted: &mut UncommittedKeys,
        now: OffsetDateTime,
    ) {
        self.since.get_or_insert_with(Instant::now);
        self.input_bytes += batch.bytes as u64;
        self.kept_bytes += kept_bytes(&batch);
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
        let mut appender = RowAppender {
            epoch: self,
            split_id: &mut split_id,
            uncommitted,
            now,
        };
        for reject in batch.rejects {
            appender.refuse(reject);
        }
        for record in batch.records {
            writes.add(record, 0, &mut appender);
        }
    }

    /// Appends a reject, which becomes a dead letter.
    fn refuse(&mut self, reject: Reject, split_id: &mut dyn FnMut(&Split) -> i64) {
        let split = reject.origin.as_ref().map(|origin| self.split(&origin.split, split_id));
        if let Some(split) = split {
            self.splits[split].counts.rejected += 1;
        }
        self.bytes += reject.origin.as_ref().map_or(0, |origin| origin.raw.len());
        self.rejects.push(DeadLetterRow {
            split_id: split.map(|split| self.splits[split].split_id),
            reject,
        });
    }

    /// The index of a split in this epoch; it is added if it is new.
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
        self.splits.push(SplitDelta {
            split: split.clone(),
            split_id: split_id(split),
            position: None,
            counts: Counts::default(),
        });
        self.by_split.insert(split.clone(), self.splits.len() - 1);
        self.splits.len() - 1
    }
}

/// Appends the rows of one batch to an epoch. Tables call it through [`AddRows`].
pub(crate) struct RowAppender<'a> {
    epoch: &'a mut Epoch,
    split_id: &'a mut dyn FnMut(&Split) -> i64,
    uncommitted: &'a mut UncommittedKeys,
    now: OffsetDateTime,
}

impl RowAppender<'_> {
    fn refuse(&mut self, reject: Reject) {
        self.epoch.refuse(reject, self.split_id);
    }
}

impl AddRows for RowAppender<'_> {
    fn add_event(&mut self, mut record: Record<Event>) {
        let Self { epoch, uncommitted, .. } = self;
        // As the table keeps it: in UTC, in whole microseconds.
        let time = record.value.event_time;
        let in_utc = time.checked_to_offset(UtcOffset::UTC);
        let Some(time) = in_utc.filter(|time| (FIRST_DAY..=LAST_DAY).contains(&time.date())) else {
            let refusal = Refusal::new(
                Reason::EVENT_TIME_OUT_OF_RANGE,
                format!("no partition can hold {time}: event times must be between 0001-01-01 and 9999-12-30 in UTC"),
            );
            return self.refuse(Reject::new(record.origin, refusal));
        };
        let time = time.replace_nanosecond(time.microsecond() * 1_000).unwrap_or(time);
        record.value.event_time = time;
        let origin = record.origin.as_ref();
        let split = origin.map(|origin| epoch.split(&origin.split, self.split_id));
        let key = EventKey::new(record.value.event_id, time);
        if uncommitted.insert(key, epoch.number) {
            epoch.days.insert(time.date());
        } else {
            epoch.left_out.insert(epoch.rows.len(), LeftOut::DuplicateInFlight);
        }
        let row_origin = record.origin.as_ref().zip(split).map(|(origin, split)| RowOrigin {
            split_id: epoch.splits[split].split_id,
            record_no: origin.record as i64,
        });
        let span = epoch.encoded.add(&record.value, row_origin, self.now);
        epoch.rows.push(Row {
            key,
            span,
            split,
            origin: record.origin,
        });
        epoch.bytes += span.len();
    }

    fn add_row(
        &mut self,
        table: usize,
        origin: Option<Origin>,
        encode: impl FnOnce(usize, &mut Vec<u8>) -> Result<(), Refusal>,
    ) {
        let epoch = &mut *self.epoch;
        let split = origin.as_ref().map(|origin| epoch.split(&origin.split, self.split_id));
        match epoch.tables[table].add(split, origin, encode) {
            Ok(bytes) => {
                epoch.table_rows += 1;
                epoch.bytes += bytes;
            }
            Err((origin, refusal)) => self.refuse(Reject::new(origin, refusal)),
        }
    }
}
