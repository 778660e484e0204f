//! An event as it is measured.

use ecom_stream::{Event, EventType, Price};

/// What a [`Measure`] looks at of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRef<'a> {
    /// Its identifier. Of events without one those that are the same in everything else are taken for duplicates.
    pub event_id: Option<u128>,
    /// When it happened, in microseconds since 1970.
    pub micros: i64,
    /// What happened.
    pub event_type: EventType,
    /// Who did it.
    pub user_id: &'a str,
    /// In which visit.
    pub session_id: &'a str,
    /// To which product.
    pub product_id: &'a str,
    /// The dotted category.
    pub category: Option<&'a str>,
    /// The brand.
    pub brand: Option<&'a str>,
    /// The price of one, in hundredths.
    pub cents: Option<i64>,
    /// How many.
    pub quantity: u32,
}

impl<'a> From<&'a Event> for EventRef<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            event_id: Some(event.event_id.as_u128()),
            micros: (event.event_time.unix_timestamp_nanos() / 1_000) as i64,
            event_type: event.event_type,
            user_id: &event.user_id,
            session_id: &event.session_id,
            product_id: &event.product_id,
            category: event.category.as_deref(),
            brand: event.brand.as_deref(),
            cents: event.price.map(Price::cents),
            quantity: event.quantity.unsigned_abs(),
        }
    }
}
