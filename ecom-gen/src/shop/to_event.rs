//! The full event of a simulated one: its id, its price and its texts.

use ecom_stream::{Event, EventType, Price};
use time::OffsetDateTime;
use uuid::{Builder, Uuid};

use super::event::Moment;
use super::id_version::IdVersion;
use super::model::Model;
use crate::micros::DAY_MICROS;
use crate::random::{Purpose, mix, unit};

impl Model {
    /// The event; `None` at a time that `time` can't hold.
    pub(crate) fn event(&self, moment: &Moment) -> Option<Event> {
        let product = self.catalogue.product(moment.product);
        Some(Event {
            event_id: self.event_id(moment),
            event_time: OffsetDateTime::from_unix_timestamp_nanos(i128::from(moment.micros) * 1_000).ok()?,
            event_type: moment.event_type,
            user_id: moment.user_id.to_string(),
            session_id: format!("{:016x}", moment.session),
            product_id: product.id.clone(),
            product_name: Some(product.name.clone()),
            category: product.category.clone(),
            brand: product.brand.map(str::to_owned),
            price: Some(self.price(moment)),
            quantity: moment.quantity.into(),
            processed_at: None,
            extra: None,
        })
    }

    /// Copies of an event have its id.
    pub(crate) fn event_id(&self, moment: &Moment) -> Uuid {
        let key = mix(moment.session ^ u64::from(moment.step).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // Not of `key`: what follows from 64 bits alone is soon the same for two events.
        let other = mix(mix(moment.session ^ self.seed.0).wrapping_add(moment.step.into()));
        let random = u128::from(key) << 64 | u128::from(other);
        match self.ids {
            IdVersion::V4 => Builder::from_random_bytes(random.to_be_bytes()).into_uuid(),
            IdVersion::V7 => {
                let millis = moment.micros.max(0) as u64 / 1_000;
                let [bits @ .., _, _, _, _, _, _] = random.to_be_bytes();
                Builder::from_unix_timestamp_millis(millis, &bits).into_uuid()
            }
        }
    }

    pub(crate) fn price(&self, moment: &Moment) -> Price {
        let day = moment.micros.div_euclid(DAY_MICROS) as u64;
        let key = self.seed.of(Purpose::Price, day << 32 | u64::from(moment.product));
        match moment.event_type != EventType::Purchase && unit(key) < self.habits.wares.zero_price {
            true => Price::default(),
            false => self.catalogue.product(moment.product).price,
        }
    }
}
