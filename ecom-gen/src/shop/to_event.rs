//! Fills in the texts, the id and the price of a simulated event.

use ecom_stream::{Event, EventType, Price};
use time::OffsetDateTime;
use uuid::{Builder, Uuid};

use super::event::SimulatedEvent;
use super::id_version::IdVersion;
use super::model::Model;
use crate::micros::DAY_MICROS;
use crate::random::{Purpose, mix, unit};

impl Model {
    /// The full event; `None` if its time is out of the range of [`OffsetDateTime`].
    pub(crate) fn event(&self, event: &SimulatedEvent) -> Option<Event> {
        let product = self.catalogue.product(event.product);
        let mut full = Event::new(
            self.event_id(event),
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(event.micros) * 1_000).ok()?,
            event.event_type,
            event.user_id.to_string(),
            format!("{:016x}", event.session),
            product.id.clone(),
        );
        full.product_name = Some(product.name.clone());
        full.category = product.category.clone();
        full.brand = product.brand.map(str::to_owned);
        full.price = Some(self.price(event));
        full.quantity = event.quantity.into();
        Some(full)
    }

    /// The id of an event. Copies of an event have the same id.
    pub(crate) fn event_id(&self, event: &SimulatedEvent) -> Uuid {
        let key = mix(event.session ^ u64::from(event.step).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // This must not derive from `key`: 64 bits alone would soon be the same for two events.
        let other = mix(mix(event.session ^ self.seed.0).wrapping_add(event.step.into()));
        let random = u128::from(key) << 64 | u128::from(other);
        match self.ids {
            IdVersion::V4 => Builder::from_random_bytes(random.to_be_bytes()).into_uuid(),
            IdVersion::V7 => {
                let millis = event.micros.max(0) as u64 / 1_000;
                let [bits @ .., _, _, _, _, _, _] = random.to_be_bytes();
                Builder::from_unix_timestamp_millis(millis, &bits).into_uuid()
            }
        }
    }

    /// The price in the event; 0 if the price of the product is unknown on that day.
    pub(crate) fn price(&self, event: &SimulatedEvent) -> Price {
        let day = event.micros.div_euclid(DAY_MICROS) as u64;
        let key = self.seed.of(Purpose::Price, day << 32 | u64::from(event.product));
        match event.event_type != EventType::Purchase && unit(key) < self.parameters.products.zero_price {
            true => Price::default(),
            false => self.catalogue.product(event.product).price,
        }
    }
}
