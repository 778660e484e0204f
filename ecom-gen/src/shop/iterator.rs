use std::sync::Arc;

use ecom_stream::Event;
use time::OffsetDateTime;

use super::builder::ShopBuilder;
use super::delivery_buffer::{DeliveryBuffer, sort_by_delivery};
use super::event::SimulatedEvent;
use super::model::Model;
use crate::catalogue::Catalogue;
use crate::micros::micros;

/// The simulation: an endless iterator of events, in the order in which they leave the shop.
///
/// The shop is open all the time; its start only says which events are the first. So two shops that differ in nothing but
/// the start have the same events from the later start on.
#[derive(Debug, Clone)]
pub struct Shop {
    model: Arc<Model>,
    buffer: DeliveryBuffer,
    next_slice: i64,
    /// Of the current slice.
    events: std::vec::IntoIter<SimulatedEvent>,
}

impl ShopBuilder {
    /// Opens the shop. Takes about as long as making the events of an hour does, since what is under way at the start has
    /// begun before.
    pub fn build(self) -> Shop {
        Shop::new(Arc::new(Model::new(&self)), micros(self.start))
    }
}

impl Shop {
    /// A shop whose first event lies at `start` or soon after it.
    pub fn builder(seed: u64, start: OffsetDateTime) -> ShopBuilder {
        ShopBuilder::new(seed, start)
    }

    fn new(model: Arc<Model>, start_micros: i64) -> Self {
        let first = model.slice_at(start_micros);
        let (buffer, next_slice) = DeliveryBuffer::new(&model, first, start_micros);
        let mut shop = Self {
            model,
            buffer,
            next_slice,
            events: Vec::new().into_iter(),
        };
        while shop.next_slice < first {
            shop.next_slice();
        }
        shop
    }

    /// What the shop sells.
    pub fn catalogue(&self) -> &Catalogue {
        &self.model.catalogue
    }

    fn next_slice(&mut self) {
        let events = self.buffer.release(self.model.simulate(self.next_slice));
        self.events = sort_by_delivery(events).into_iter();
        self.next_slice += 1;
    }
}

/// Ends only when the times do, at the end of the year 9999.
impl Iterator for Shop {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let event = loop {
            match self.events.next() {
                Some(event) => break event,
                None => self.next_slice(),
            }
        };
        self.model.event(&event)
    }
}

#[cfg(test)]
mod tests;
