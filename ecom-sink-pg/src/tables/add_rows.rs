//! The trait through which a table adds its rows to an epoch.

use ecom_stream::{Event, Origin, Record, Refusal};

/// Takes in the rows of one batch. The epoch implements it, and tables call it.
pub trait AddRows {
    /// Adds an event, for `ecom.events`.
    fn add_event(&mut self, record: Record<Event>);

    /// Adds a row to the user's table with that number. `encode` appends the bytes of the row; it
    /// gets the index of the row in the epoch, which decides which of two rows with one key is
    /// the later one. If it fails, the row becomes a dead letter with that reason.
    fn add_row(
        &mut self,
        table: usize,
        origin: Option<Origin>,
        encode: impl FnOnce(usize, &mut Vec<u8>) -> Result<(), Refusal>,
    );
}
