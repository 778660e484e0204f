//! The part of an event that is measured.

use ecom_stream::{Event, EventType, Price};

/// The part of an event that a [`Measure`](crate::profile::Measure) uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventRef<'a> {
    /// The id. Two events without an id are duplicates if everything else is equal.
    pub event_id: Option<u128>,
    /// When it happened, in microseconds since the Unix epoch.
    pub micros: i64,
    /// The event type.
    pub event_type: EventType,
    /// The user.
    pub user_id: &'a str,
    /// The session.
    pub session_id: &'a str,
    /// The product.
    pub product_id: &'a str,
    /// The dotted category.
    pub category: Option<&'a str>,
    /// The brand.
    pub brand: Option<&'a str>,
    /// The price of one piece in cents.
    pub cents: Option<i64>,
    /// The quantity.
    pub quantity: u32,
}

impl<'a> EventRef<'a> {
    /// An event that happened at `micros`, without an id, a category, a brand and a price, and with quantity 1. Set the
    /// other fields afterwards.
    pub fn new(event_type: EventType, micros: i64, user_id: &'a str, session_id: &'a str, product_id: &'a str) -> Self {
        Self {
            event_id: None,
            micros,
            event_type,
            user_id,
            session_id,
            product_id,
            category: None,
            brand: None,
            cents: None,
            quantity: 1,
        }
    }
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
