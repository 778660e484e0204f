//! Small sets of events for tests, whose measurements are known.

use ecom_stream::EventType;

use super::event_ref::EventRef;
use super::measure::{Measure, MeasureOptions};
use super::sections::Profile;

/// Monday, 2 November 2026, 00:00 UTC.
pub(super) const MONDAY: i64 = 1_793_577_600;
pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 24 * HOUR;

/// A view, `seconds` after [`MONDAY`].
pub(super) fn view<'a>(seconds: i64, user_id: &'a str, session_id: &'a str, product_id: &'a str) -> EventRef<'a> {
    EventRef {
        event_id: None,
        micros: (MONDAY + seconds) * 1_000_000,
        event_type: EventType::View,
        user_id,
        session_id,
        product_id,
        category: Some("shoes"),
        brand: None,
        cents: Some(1_000),
        quantity: 1,
    }
}

pub(super) fn cart<'a>(seconds: i64, user_id: &'a str, session_id: &'a str, product_id: &'a str) -> EventRef<'a> {
    EventRef {
        event_type: EventType::AddToCart,
        ..view(seconds, user_id, session_id, product_id)
    }
}

pub(super) fn purchase<'a>(seconds: i64, user_id: &'a str, session_id: &'a str, product_id: &'a str) -> EventRef<'a> {
    EventRef {
        event_type: EventType::Purchase,
        ..view(seconds, user_id, session_id, product_id)
    }
}

pub(super) fn measure<'a>(events: impl IntoIterator<Item = EventRef<'a>>) -> Profile {
    let mut measure = Measure::new(MeasureOptions::default());
    for seen in events {
        measure.add(&seen);
    }
    measure.finish()
}

/// Seven events of two users in three sessions.
pub(super) fn small_shop() -> Vec<EventRef<'static>> {
    vec![
        view(0, "ann", "s1", "boot"),
        view(20, "ann", "s1", "sock"),
        cart(40, "ann", "s1", "sock"),
        view(50, "bob", "s2", "boot"),
        purchase(80, "ann", "s1", "sock"),
        view(DAY, "bob", "s3", "sock"),
        cart(DAY + 10, "bob", "s3", "sock"),
    ]
}
