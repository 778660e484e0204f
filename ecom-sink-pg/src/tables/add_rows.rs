//! The trait through which a table adds its rows to an epoch.

use ecom_stream::{Event, Origin, Record, Refusal};

/// Takes in rows, of `ecom.events` and of tables of the user's own.
pub trait AddRows {
    /// Adds an event, for `ecom.events`.
    fn add_event(&mut self, record: Record<Event>);

    /// Adds a row that `encode` appends, being told its number in the epoch, to the table of that number.
    fn add_row(
        &mut self,
        table: usize,
        origin: Option<Origin>,
        encode: impl FnOnce(usize, &mut Vec<u8>) -> Result<(), Refusal>,
    );
}
