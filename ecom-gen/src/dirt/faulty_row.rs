//! Rows with a fault.

use ecom_stream::Reason;

use super::kind::FaultKind;
use super::shares::Dirt;
use crate::csv_row::{RowFields, write_row};
use crate::random::{Purpose, mix};
use crate::shop::{Model, SimulatedEvent};

/// The fault of a row.
#[derive(Debug, Clone)]
pub(crate) struct FaultyRow {
    pub(crate) kind: FaultKind,
    /// The reason with which a correct ingest rejects it.
    pub(crate) reason: Reason,
    /// The row without the fault.
    pub(crate) clean: Box<[u8]>,
}

impl Dirt {
    /// The fault of a row, if it has one, and a random number for its details.
    ///
    /// An event that is sent twice has no fault either time, so that its second row is a duplicate.
    pub(crate) fn fault_of_row(&self, model: &Model, event: &SimulatedEvent) -> Option<(FaultKind, u64)> {
        if !self.has_row_faults() {
            return None;
        }
        let index = event.session.wrapping_add(u64::from(event.step) << 48);
        let key = model.seed.of(Purpose::Fault, index);
        let kind = self.draw(FaultKind::OF_ROWS, key)?;
        (!model.delivery.has_copy(model.seed, event)).then(|| (kind, mix(key)))
    }
}

const TYPES: [&str; 4] = ["wishlist", "VIEW", "add-to-cart", "return"];
const QUANTITIES: [&str; 3] = ["two", "1.5", "x3"];
const PRICES: [&str; 3] = ["free", "n/a", "$12.99"];
const TIMES: [(&str, Reason); 5] = [
    ("yesterday", Reason::EVENT_TIME_MALFORMED),
    ("2026-13-01T00:00:00Z", Reason::EVENT_TIME_MALFORMED),
    ("1793534400", Reason::EVENT_TIME_MALFORMED),
    ("", Reason::EVENT_TIME_MISSING),
    ("1970-01-01T00:00:00Z", Reason::EVENT_TIME_OUT_OF_RANGE),
];

/// Appends the row with this fault, and returns the reason with which a correct ingest rejects it.
pub(crate) fn write_faulty_row(kind: FaultKind, key: u64, fields: &RowFields<'_>, out: &mut Vec<u8>) -> Reason {
    let mut chunks = fields.chunks();
    let [_, time, event_type, user, session, _, price, quantity] = &mut chunks;
    let which = |count: usize| (key % count as u64) as usize;
    let own: Vec<u8>;
    let reason = match kind {
        FaultKind::MissingField => {
            let fewer = &chunks[..chunks.len() - 1 - which(2)];
            write_row(fewer, b"\n", out);
            return Reason::FIELD_COUNT;
        }
        FaultKind::WrongType if mix(key).is_multiple_of(2) => {
            *quantity = QUANTITIES[which(QUANTITIES.len())].as_bytes();
            Reason::QUANTITY_MALFORMED
        }
        FaultKind::WrongType => {
            *price = PRICES[which(PRICES.len())].as_bytes();
            Reason::PRICE_MALFORMED
        }
        FaultKind::UnknownEventType => {
            *event_type = TYPES[which(TYPES.len())].as_bytes();
            Reason::EVENT_TYPE_UNKNOWN
        }
        FaultKind::NegativePrice => {
            let amount = if *price == b"0.00" { b"0.01" } else { *price };
            own = [b"-", amount].concat();
            *price = &own;
            Reason::PRICE_NEGATIVE
        }
        FaultKind::BadTime => {
            let (text, reason) = TIMES[which(TIMES.len())].clone();
            *time = text.as_bytes();
            reason
        }
        FaultKind::InvalidUtf8 => {
            // A byte that is in no text: one such as 0xe9 would say that the file is in Latin-1.
            own = [*session, b"\xff"].concat();
            *session = &own;
            Reason::INVALID_UTF8
        }
        FaultKind::NulByte => {
            own = [b"\0", *session].concat();
            *session = &own;
            Reason::NUL_BYTE
        }
        FaultKind::TextAfterQuote => {
            own = [b"\"", *user, b"\"x"].concat();
            *user = &own;
            Reason::TEXT_AFTER_QUOTE
        }
        FaultKind::UnterminatedQuote
        | FaultKind::TornLastLine
        | FaultKind::ByteOrderMark
        | FaultKind::Crlf
        | FaultKind::MissingColumn
        | FaultKind::EmptyFile
        | FaultKind::HeaderOnly
        | FaultKind::Rewritten => unreachable!("{kind:?} is a fault of files"),
    };
    write_row(&chunks, b"\n", out);
    reason
}
