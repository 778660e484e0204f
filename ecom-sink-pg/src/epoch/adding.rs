//! Adding records to an epoch.

use ecom_stream::{Event, Origin, Reason, Record, Refusal, Reject, Split};
use time::macros::date;
use time::{Date, OffsetDateTime, UtcOffset};

use super::{Epoch, Fate, Row};
use crate::in_flight::{InFlight, Key};
use crate::row::RowOrigin;

/// Partitions can be made for these.
const FIRST_DAY: Date = date!(0001 - 01 - 01);
const LAST_DAY: Date = date!(9999 - 12 - 30);

/// What adds records to an epoch.
pub struct Adding<'a> {
    pub(super) epoch: &'a mut Epoch,
    pub(super) split_id: &'a mut dyn FnMut(&Split) -> i64,
    pub(super) in_flight: &'a mut InFlight,
    pub(super) now: OffsetDateTime,
}

impl Adding<'_> {
    pub(super) fn refuse(&mut self, reject: Reject) {
        self.epoch.refuse(reject, self.split_id);
    }

    pub(crate) fn add_event(&mut self, mut record: Record<Event>) {
        let Self { epoch, in_flight, .. } = self;
        // As the table keeps it: in UTC, in whole microseconds.
        let time = record.value.event_time;
        let in_utc = time.checked_to_offset(UtcOffset::UTC);
        let Some(time) = in_utc.filter(|time| (FIRST_DAY..=LAST_DAY).contains(&time.date())) else {
            let refusal = Refusal::new(Reason::EVENT_TIME_OUT_OF_RANGE, format!("no partition can hold {time}"));
            return self.refuse(Reject::new(record.origin, refusal));
        };
        let time = time.replace_nanosecond(time.microsecond() * 1_000).unwrap_or(time);
        record.value.event_time = time;
        let origin = record.origin.as_ref();
        let split = origin.map(|origin| epoch.split(&origin.split, self.split_id));
        let key = Key::new(record.value.event_id, time);
        if in_flight.enter(key, epoch.number) {
            epoch.days.insert(time.date());
        } else {
            epoch.fates.insert(epoch.rows.len(), Fate::Twin);
        }
        let row_origin = record.origin.as_ref().zip(split).map(|(origin, split)| RowOrigin {
            split_id: epoch.splits[split].split_id,
            record_no: origin.record as i64,
        });
        let place = epoch.encoded.add(&record.value, row_origin, self.now);
        epoch.rows.push(Row {
            key,
            place,
            split,
            origin: record.origin,
        });
        epoch.bytes += place.len();
    }

    /// Adds a row that `encode` appends, being told its number in the epoch, to the table of that number.
    pub(crate) fn add_row(
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
