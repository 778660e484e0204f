//! The traits that connect record types to tables, and the table `ecom.events`.

use ecom_stream::{Either, Event, Record};
use time::{Date, UtcOffset};

use super::add_rows::AddRows;
use super::spec::{CheckedTable, TableSpec};

/// Where records of a type are written: [`Events`], a [`Table`](super::Table), or a pair of two such for records that are
/// [`Either`] of two, which may be pairs themselves.
pub trait Tables<T>: Writes<T> {}

impl<T, W: Writes<T>> Tables<T> for W {}

/// What the sink asks of [`Tables`].
pub trait Writes<T>: Send + 'static {
    /// How many tables of the user's own it writes.
    const TABLES: usize;

    /// Adds those.
    fn specs<'a>(&'a self, to: &mut Vec<&'a TableSpec>);

    /// Takes in how they were found, in the same order.
    fn set_tables(&mut self, tables: &[CheckedTable]);

    /// The day whose partition a record needs.
    fn day(&self, value: &T) -> Option<Date>;

    /// Adds a record; the first of its tables has that number.
    fn add(&mut self, record: Record<T>, first_table: usize, to: &mut impl AddRows);
}

/// The table `ecom.events`, with its rules: identity is `(event_id, event_time)`, and an event that the table has already is
/// counted as a duplicate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Events;

impl Writes<Event> for Events {
    const TABLES: usize = 0;

    fn specs<'a>(&'a self, _: &mut Vec<&'a TableSpec>) {}

    fn set_tables(&mut self, _: &[CheckedTable]) {}

    fn day(&self, event: &Event) -> Option<Date> {
        let in_utc = event.event_time.checked_to_offset(UtcOffset::UTC);
        in_utc.map(|time| time.date())
    }

    fn add(&mut self, record: Record<Event>, _: usize, to: &mut impl AddRows) {
        to.add_event(record);
    }
}

impl<L, R, A: Writes<L>, B: Writes<R>> Writes<Either<L, R>> for (A, B) {
    const TABLES: usize = A::TABLES + B::TABLES;

    fn specs<'a>(&'a self, to: &mut Vec<&'a TableSpec>) {
        self.0.specs(to);
        self.1.specs(to);
    }

    fn set_tables(&mut self, tables: &[CheckedTable]) {
        let (first, second) = tables.split_at(A::TABLES.min(tables.len()));
        self.0.set_tables(first);
        self.1.set_tables(second);
    }

    fn day(&self, value: &Either<L, R>) -> Option<Date> {
        match value {
            Either::Left(value) => self.0.day(value),
            Either::Right(value) => self.1.day(value),
        }
    }

    fn add(&mut self, record: Record<Either<L, R>>, first_table: usize, to: &mut impl AddRows) {
        let origin = record.origin;
        match record.value {
            Either::Left(value) => self.0.add(Record { value, origin }, first_table, to),
            Either::Right(value) => self.1.add(Record { value, origin }, first_table + A::TABLES, to),
        }
    }
}
