use ecom_stream::EventType;

use crate::micros::{DAY_MICROS, HOUR_MICROS};
use crate::zone::Zone;

pub(super) const SECOND: i64 = 1_000_000;
/// Months are of 30 days, from the first event on.
pub(super) const MONTH: i64 = 30 * DAY_MICROS;

/// One event, with numbers in place of its texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) micros: i64,
    /// Below 0 if there is none.
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

/// In place of the number of an absent text.
pub(super) const NONE: u32 = u32::MAX;

impl Row {
    pub(super) fn is(&self, event_type: EventType) -> bool {
        self.event_type == event_type
    }
}

/// Everything that was seen, in the order in which it came, without duplicates.
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

    /// Days from the first event to the last.
    pub(super) fn days(&self) -> f64 {
        (self.last - self.first) as f64 / DAY_MICROS as f64
    }

    /// The time by the clocks of the shop.
    pub(super) fn local(&self, micros: i64) -> i64 {
        micros + self.zone.offset_seconds(micros) * SECOND
    }

    /// From 0 to 23, by the clocks of the shop.
    pub(super) fn hour(&self, micros: i64) -> usize {
        self.local(micros).div_euclid(HOUR_MICROS).rem_euclid(24) as usize
    }

    /// In which month since the first event.
    pub(super) fn month(&self, micros: i64) -> usize {
        ((micros - self.first) / MONTH) as usize
    }

    /// How many months are whole: the events reach into their last day.
    pub(super) fn whole_months(&self) -> usize {
        ((self.last - self.first + DAY_MICROS) / MONTH) as usize
    }
}

/// A part of a whole, 0 if there is no whole.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    match whole {
        0 => 0.0,
        _ => part as f64 / whole as f64,
    }
}
