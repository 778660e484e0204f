//! The traits that connect record types to tables, and the table `ecom.events`.

use ecom_stream::{Either, Event, Record};
use time::{Date, UtcOffset};

use super::add_rows::AddRows;
use super::spec::{CheckedTable, TableSpec};

/// The tables that records of a type are written to: [`Events`], a [`Table`](super::Table), or a
/// pair of these for records that are [`Either`] of two types. The parts of a pair may be pairs
/// themselves. No other type
/// can be one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not store records of type `{T}`",
    label = "there is no table for `{T}`",
    note = "`PgSink` stores `Event`s in `ecom.events` unless it is told otherwise: `into_tables(Table::new(…).column(…))` names a table for records of another type",
    note = "a `Table` stores the type that its closures take; a pair of tables stores `Either` of their types"
)]
pub trait Tables<T>: Send + 'static {
    /// How many of the user's tables it writes.
    #[doc(hidden)]
    const TABLES: usize;

    /// Appends the definitions of these tables.
    #[doc(hidden)]
    fn specs<'a>(&'a self, to: &mut Vec<&'a TableSpec>);

    /// Sets the tables as they were checked, in the same order.
    #[doc(hidden)]
    fn set_tables(&mut self, tables: &[CheckedTable]);

    /// The day whose partition a record needs.
    #[doc(hidden)]
    fn day(&self, value: &T) -> Option<Date>;

    /// Adds a record. `first_table` is the number of the first of these tables.
    #[doc(hidden)]
    fn add(&mut self, record: Record<T>, first_table: usize, to: &mut impl AddRows);
}

/// The table `ecom.events`. An event is identified by `(event_id, event_time)`; one that is in
/// the table already is counted as a duplicate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Events;

impl Tables<Event> for Events {
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

impl<L, R, A: Tables<L>, B: Tables<R>> Tables<Either<L, R>> for (A, B) {
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
            Either::Left(value) => self.0.add(Record::new(value, origin), first_table, to),
            Either::Right(value) => self.1.add(Record::new(value, origin), first_table + A::TABLES, to),
        }
    }
}
