//! How an event is serialized: in the state of operators, which older versions have written, and in formats with names.
//!
//! `postcard`, in which state is kept, stores no names: a field more, and no older state could be read. So what was added to events
//! since the first version stands inside the type of the event, as a further variant of it. An event that has nothing of it is written
//! as ever, byte by byte.
//!
//! ```text
//! id, time, 3 (purchase), user, session, …
//! id, time, 4 { refund, order_id, currency, line_total }, user, session, …
//! ```

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Currency, Event, EventType, Price};

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return Named::serialize(self, serializer);
        }
        let Self {
            user_id,
            session_id,
            product_id,
            ..
        } = self;
        Unnamed::<&str, &str> {
            event_id: self.event_id,
            event_time: self.event_time,
            event_type: TypeAndMore::of(self),
            user_id,
            session_id,
            product_id,
            product_name: self.product_name.as_deref(),
            category: self.category.as_deref(),
            brand: self.brand.as_deref(),
            price: self.price,
            quantity: self.quantity,
            processed_at: self.processed_at,
            extra: self.extra.as_deref(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Named::deserialize(deserializer);
        }
        let event = Unnamed::<String, Box<str>>::deserialize(deserializer)?;
        let (event_type, more) = event.event_type.parts();
        Ok(Self {
            event_id: event.event_id,
            event_time: event.event_time,
            event_type,
            user_id: event.user_id,
            session_id: event.session_id,
            product_id: event.product_id,
            product_name: event.product_name,
            category: event.category,
            brand: event.brand,
            price: event.price,
            quantity: event.quantity,
            order_id: more.order_id,
            currency: more.currency,
            line_total: more.line_total,
            processed_at: event.processed_at,
            extra: event.extra,
        })
    }
}

/// An event in a format that stores no names. The order of its fields and their types never change.
#[derive(Serialize, Deserialize)]
struct Unnamed<S, E> {
    event_id: Uuid,
    event_time: OffsetDateTime,
    event_type: TypeAndMore<S>,
    user_id: S,
    session_id: S,
    product_id: S,
    product_name: Option<S>,
    category: Option<S>,
    brand: Option<S>,
    price: Option<Price>,
    quantity: i32,
    processed_at: Option<OffsetDateTime>,
    extra: Option<E>,
}

/// The type of an event, and what the first version didn't have. What is added later gets a further variant behind these.
#[derive(Serialize, Deserialize)]
enum TypeAndMore<S> {
    View,
    AddToCart,
    RemoveFromCart,
    Purchase,
    More(EventType, More<S>),
}

/// The fields that the first version didn't have.
#[derive(Serialize, Deserialize)]
struct More<S> {
    order_id: Option<S>,
    currency: Option<Currency>,
    line_total: Option<Price>,
}

impl<'a> TypeAndMore<&'a str> {
    fn of(event: &'a Event) -> Self {
        let has_more = event.order_id.is_some() || event.currency.is_some() || event.line_total.is_some();
        match event.event_type {
            EventType::View if !has_more => Self::View,
            EventType::AddToCart if !has_more => Self::AddToCart,
            EventType::RemoveFromCart if !has_more => Self::RemoveFromCart,
            EventType::Purchase if !has_more => Self::Purchase,
            event_type => Self::More(
                event_type,
                More {
                    order_id: event.order_id.as_deref(),
                    currency: event.currency,
                    line_total: event.line_total,
                },
            ),
        }
    }
}

impl TypeAndMore<String> {
    fn parts(self) -> (EventType, More<String>) {
        let event_type = match self {
            Self::View => EventType::View,
            Self::AddToCart => EventType::AddToCart,
            Self::RemoveFromCart => EventType::RemoveFromCart,
            Self::Purchase => EventType::Purchase,
            Self::More(event_type, more) => return (event_type, more),
        };
        let nothing = More {
            order_id: None,
            currency: None,
            line_total: None,
        };
        (event_type, nothing)
    }
}

/// An event in a format with names, such as JSON.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Event")]
struct Named {
    event_id: Uuid,
    event_time: OffsetDateTime,
    event_type: EventType,
    user_id: String,
    session_id: String,
    product_id: String,
    product_name: Option<String>,
    category: Option<String>,
    brand: Option<String>,
    price: Option<Price>,
    quantity: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    currency: Option<Currency>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line_total: Option<Price>,
    processed_at: Option<OffsetDateTime>,
    extra: Option<Box<str>>,
}
