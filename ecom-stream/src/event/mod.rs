//! The event of a shop: its fields, the rules that make a CSV record an event, and files of other layouts.
//!
//! ```text
//!                        CsvRecord
//!                            │
//!         ┌──────────────────┴───────────────────┐
//!    columns of an event                columns of another layout
//!         │                                      │
//!         │                       mapping/  which column is which field, formats, defaults
//!         └──────────────────┬───────────────────┘
//!                   rules    each rule has a reason code
//!             time_format/, number_format, price_format, id
//!                            │
//!                Event  or  Refusal ── remedy: how to correct the record
//! ```
//!
//! `check/` does this for one file without a database and reports the result. `infer/` proposes a mapping for a file. `to_csv` writes
//! events.

mod amount;
#[cfg(feature = "csv-dir")]
pub mod check;
mod currency;
mod event_type;
mod id;
#[cfg(all(feature = "csv-dir", feature = "mapping"))]
pub mod infer;
mod long_values;
pub(crate) mod mapping;
#[cfg(feature = "csv-dir")]
mod null_words;
mod number_format;
mod price;
mod price_format;
mod remedy;
mod rules;
mod serialized;
mod time_format;
mod to_csv;

use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

pub use currency::{Currency, CurrencyError};
pub use event_type::EventType;
pub(crate) use id::id_of_parts;
pub use id::{id_of_origin, id_of_text};
pub use long_values::LongValues;
pub use mapping::{Field, Ids, Mapping, MappingBuilder};
#[cfg(feature = "csv-dir")]
pub(crate) use null_words::null_words_in;
pub use number_format::Rounding;
pub(crate) use number_format::{NumberFormat, PLAIN_NUMBERS};
pub use price::{Price, PriceError};
pub(crate) use price_format::PriceFormat;
pub(crate) use rules::BoundRules;
pub use rules::Rules;
pub use time_format::{ExcelDays, TimeAlternatives, TimeDescription, TimeFormat, TimeFormatError};
#[cfg(feature = "mapping")]
pub use time_format::{TimeFormatBuilder, TimePattern, TimeZone};

use crate::csv::Columns;

/// Something that a shopper did.
///
/// Its identity is `(event_id, event_time)`: a producer that sends an event again must send the same values of both.
///
/// It implements `Serialize` so that joins and [`Collect`](crate::aggregate::Collect) can keep whole events in their state. State that
/// an older version has written is read as before.
///
/// ```
/// use ecom_stream::{Event, EventType, Price};
/// use time::macros::datetime;
/// use uuid::Uuid;
///
/// let time = datetime!(2026-11-01 12:00 UTC);
/// let mut event = Event::new(Uuid::from_u128(7), time, EventType::Purchase, "user-1", "session-1", "sku-1");
/// event.price = Price::from_cents(990);
/// assert_eq!((event.quantity, event.brand), (1, None));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The identifier: that of the producer, or one made by [`id_of_text`] or [`id_of_origin`].
    pub event_id: Uuid,
    /// When it happened, in UTC, in whole microseconds.
    pub event_time: OffsetDateTime,
    /// What the shopper did.
    pub event_type: EventType,
    /// The shopper; 1 to 64 bytes, opaque; longer if a mapping [keeps](LongValues) it.
    pub user_id: String,
    /// The visit; 1 to 64 bytes, opaque.
    pub session_id: String,
    /// The product; 1 to 64 bytes, opaque. Empty if the event has none, which only some [types](EventType::needs_product) allow: null in
    /// a table.
    pub product_id: String,
    /// The name of the product; at most 256 bytes, unless a mapping [keeps](LongValues) longer ones.
    pub product_name: Option<String>,
    /// A dotted category such as `electronics.smartphone`; at most 256 bytes.
    pub category: Option<String>,
    /// The brand; at most 256 bytes.
    pub brand: Option<String>,
    /// The price of one piece. The rules require it or [`line_total`](Self::line_total) for a purchase and a refund, unless a mapping
    /// makes it optional.
    pub price: Option<Price>,
    /// The number of pieces; at least 1, in a refund too.
    pub quantity: i32,
    /// The order that the line belongs to; 1 to 64 bytes, opaque.
    pub order_id: Option<String>,
    /// The currency of the amounts; that of the shop if it is absent.
    pub currency: Option<Currency>,
    /// What the line costs as a whole, where that is not price times quantity: the total can't be divided by the quantity in hundredths,
    /// or it has a discount. See [`amount`](Self::amount).
    pub line_total: Option<Price>,
    /// When a pipeline processed it; see [`SourceExt::stamp`](crate::SourceExt::stamp).
    pub processed_at: Option<OffsetDateTime>,
    /// The columns of the file that are not fields of an event, as a JSON object of strings; see
    /// [`MappingBuilder::keep_extra`](crate::MappingBuilder::keep_extra).
    pub extra: Option<Box<str>>,
}

impl Event {
    /// The columns of an event in a CSV file. Files may have them in any order, and may have other columns as well.
    ///
    /// In this order they are written: the last three only to files in which an event has one of them.
    pub const COLUMNS: [&'static str; 14] = [
        "event_id",
        "event_time",
        "event_type",
        "user_id",
        "session_id",
        "product_id",
        "product_name",
        "category",
        "brand",
        "price",
        "quantity",
        "order_id",
        "currency",
        "line_total",
    ];

    /// The first of [`COLUMNS`](Self::COLUMNS), which every file of events has that is written.
    ///
    /// ```
    /// assert!(ecom_stream::Event::COLUMNS.starts_with(&ecom_stream::Event::BASE_COLUMNS));
    /// ```
    pub const BASE_COLUMNS: [&'static str; 11] = {
        let [columns @ .., _, _, _] = Self::COLUMNS;
        columns
    };

    /// The columns that a file of events must have.
    pub const REQUIRED_COLUMNS: [&'static str; 5] = ["event_time", "event_type", "user_id", "session_id", "product_id"];

    /// The columns that a file of events must have, and those that it may have.
    ///
    /// ```
    /// use ecom_stream::{Event, Header};
    ///
    /// let header = Header::new(["event_time", "event_type", "user_id", "product_id"]);
    /// assert_eq!(Event::columns().missing_in(&header), ["session_id"]);
    /// ```
    pub fn columns() -> Columns {
        Columns::new(Self::COLUMNS, Self::REQUIRED_COLUMNS)
    }

    /// An event with the fields that every event has. The other fields are absent, and the quantity is 1. The time is converted to UTC
    /// and cut to whole microseconds.
    pub fn new(
        event_id: Uuid,
        event_time: OffsetDateTime,
        event_type: EventType,
        user_id: impl Into<String>,
        session_id: impl Into<String>,
        product_id: impl Into<String>,
    ) -> Self {
        Self {
            event_id,
            event_time: to_microseconds(event_time),
            event_type,
            user_id: user_id.into(),
            session_id: session_id.into(),
            product_id: product_id.into(),
            product_name: None,
            category: None,
            brand: None,
            price: None,
            quantity: 1,
            order_id: None,
            currency: None,
            line_total: None,
            processed_at: None,
            extra: None,
        }
    }
}

/// The time in UTC, in whole microseconds, which is what PostgreSQL's `timestamptz` can hold. A time whose year in UTC would not
/// have four digits keeps its own offset.
pub(crate) fn to_microseconds(time: OffsetDateTime) -> OffsetDateTime {
    let time = time.checked_to_offset(UtcOffset::UTC).unwrap_or(time);
    let whole = time.microsecond() * 1_000;
    time.replace_nanosecond(whole).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_event_round_trips_through_the_state() {
        let time = datetime!(2026-11-01 12:00:00.123456 UTC);
        let bare = Event::new(Uuid::from_u128(7), time, EventType::Purchase, "u", "s", "p");
        let full = Event {
            product_name: Some("A book".into()),
            category: Some("books.fiction".into()),
            brand: Some("Ä".into()),
            price: Some(Price::MAX),
            quantity: 3,
            processed_at: Some(datetime!(9999-12-31 23:59:59.999999 UTC)),
            extra: Some("{}".into()),
            ..bare.clone()
        };
        let more = Event {
            order_id: Some("#1001".into()),
            currency: "EUR".parse().ok(),
            line_total: Some(Price::MAX),
            ..full.clone()
        };
        let types = EventType::ALL.map(|event_type| Event {
            event_type,
            ..bare.clone()
        });
        for event in types.into_iter().chain([full, more]) {
            let bytes = postcard::to_allocvec(&event).unwrap();
            assert_eq!(postcard::from_bytes::<Event>(&bytes).unwrap(), event);
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
        }
    }

    /// An event as the first version had it.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct FirstEvent {
        event_id: Uuid,
        event_time: OffsetDateTime,
        event_type: FirstType,
        user_id: String,
        session_id: String,
        product_id: String,
        product_name: Option<String>,
        category: Option<String>,
        brand: Option<String>,
        price: Option<Price>,
        quantity: i32,
        processed_at: Option<OffsetDateTime>,
        extra: Option<Box<str>>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum FirstType {
        View,
        AddToCart,
        RemoveFromCart,
        Purchase,
    }

    #[test]
    fn state_of_the_first_version_is_read_and_written_byte_by_byte() {
        // What `Collect`, a join and a keyed operator have stored: two events, the second with all fields.
        let bytes = "02046c6566741000000000000000000000000000000007d41fb1020c00008094ef3a000000000175\
             01730170000000000200000572696768741000000000000000000000000000000007d41fb1020c00008094ef3a000000030175017301700106412062\
             6f6f6b010d626f6f6b732e66696374696f6e0102c38401fcca010601d41fb1020c00010000000001027b7d";
        let bytes: Vec<u8> = (0..bytes.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&bytes[at..at + 2], 16).unwrap())
            .collect();
        let read: Vec<(String, Event)> = postcard::from_bytes(&bytes).unwrap();
        let first: Vec<(String, FirstEvent)> = postcard::from_bytes(&bytes).unwrap();
        let time = datetime!(2026-11-01 12:00:00.123456 UTC);
        let bare = Event::new(Uuid::from_u128(7), time, EventType::View, "u", "s", "p");
        let full = Event {
            event_type: EventType::Purchase,
            product_name: Some("A book".into()),
            category: Some("books.fiction".into()),
            brand: Some("\u{c4}".into()),
            price: Price::from_cents(12_990),
            quantity: 3,
            processed_at: Some(datetime!(2026-11-01 12:00:01 UTC)),
            extra: Some("{}".into()),
            ..bare.clone()
        };
        assert_eq!(read, [("left".to_owned(), bare), ("right".to_owned(), full)]);
        assert_eq!(first[1].1.event_type, FirstType::Purchase);
        assert_eq!(postcard::to_allocvec(&read).unwrap(), bytes);
        assert_eq!(postcard::to_allocvec(&first).unwrap(), bytes);
    }

    #[test]
    fn a_stored_price_outside_its_range_is_an_error() {
        for cents in [-1_i64, Price::MAX.cents() + 1] {
            let bytes = postcard::to_allocvec(&cents).unwrap();
            postcard::from_bytes::<Price>(&bytes).unwrap_err();
        }
    }
}
