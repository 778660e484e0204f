//! The shop as an iterator of events.

use std::sync::Arc;

use ecom_stream::Event;
use time::OffsetDateTime;

use super::builder::ShopBuilder;
use super::delivery_buffer::{DeliveryBuffer, sort_by_delivery};
use super::event::SimulatedEvent;
use super::model::Model;
use crate::catalogue::Catalogue;
use crate::micros::micros;

/// A simulated shop: an endless iterator of events in the order of their delivery.
///
/// The shop always exists; its start only determines which event is the first. So two shops that differ only in the
/// start have the same events from the later start on.
#[derive(Debug, Clone)]
pub struct Shop {
    model: Arc<Model>,
    buffer: DeliveryBuffer,
    next_slice: i64,
    /// The remaining events of the current slice.
    events: std::vec::IntoIter<SimulatedEvent>,
}

impl ShopBuilder {
    /// Opens the shop. This takes about as long as simulating one hour of events, because visits that are in progress
    /// at the start began before it.
    pub fn build(self) -> Shop {
        Shop::new(Arc::new(Model::new(&self)), micros(self.start))
    }
}

impl Shop {
    /// The options of a shop whose first event happens at `start` or soon after.
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

/// The iterator ends at the end of the year 9999, the last that a time can have.
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
