//! All measured events, in a compact form.

use ecom_stream::EventType;

use crate::micros::{DAY_MICROS, HOUR_MICROS};
use crate::zone::Zone;

pub(super) const SECOND: i64 = 1_000_000;
/// A month has 30 days, counted from the first event on.
pub(super) const MONTH: i64 = 30 * DAY_MICROS;

/// An event with numbers in place of texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) micros: i64,
    /// The price in cents; negative if there is none.
    pub(super) cents: i64,
    pub(super) user: u32,
    pub(super) session: u32,
    pub(super) product: u32,
    /// [`NONE`] if there is none.
    pub(super) category: u32,
    /// [`NONE`] if there is none.
    pub(super) brand: u32,
    pub(super) quantity: u32,
    pub(super) event_type: EventType,
}

/// The number of a text that is absent.
pub(super) const NONE: u32 = u32::MAX;

impl Row {
    pub(super) fn is(&self, event_type: EventType) -> bool {
        self.event_type == event_type
    }
}

/// All measured events in the order of their arrival, without exact duplicates.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) rows: Vec<Row>,
    pub(super) users: usize,
    pub(super) sessions: usize,
    pub(super) products: usize,
    pub(super) brands: usize,
    pub(super) categories: Vec<String>,
    pub(super) zone: Zone,
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Events {
    pub(super) fn of(&self, event_type: EventType) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.is(event_type))
    }

    /// The days from the first event to the last.
    pub(super) fn days(&self) -> f64 {
        (self.last - self.first) as f64 / DAY_MICROS as f64
    }

    /// The local time in the shop's time zone.
    pub(super) fn local(&self, micros: i64) -> i64 {
        micros + self.zone.offset_seconds(micros) * SECOND
    }

    /// The hour of the local time, from 0 to 23.
    pub(super) fn hour(&self, micros: i64) -> usize {
        self.local(micros).div_euclid(HOUR_MICROS).rem_euclid(24) as usize
    }

    /// The month of a time; the first event is in month 0.
    pub(super) fn month(&self, micros: i64) -> usize {
        ((micros - self.first) / MONTH) as usize
    }

    /// The number of complete months: those whose last day has an event.
    pub(super) fn whole_months(&self) -> usize {
        ((self.last - self.first + DAY_MICROS) / MONTH) as usize
    }
}

/// `part` divided by `whole`, or 0 if `whole` is 0.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    match whole {
        0 => 0.0,
        _ => part as f64 / whole as f64,
    }
}
