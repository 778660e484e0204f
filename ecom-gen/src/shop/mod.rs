//! The simulated shop as a function of time.
//!
//! Time is divided into slices. All visits that begin in a slice follow from the seed and the number of the slice
//! (`visit`, `simulate`), so slices can be simulated in any order and on any number of threads (`slices`). Events that
//! are delivered after their slice wait in the `delivery_buffer`.

mod build;
mod builder;
mod calendar;
mod delivery;
mod delivery_buffer;
mod event;
mod id_version;
mod iterator;
mod model;
mod pending;
mod population;
mod scenario;
mod simulate;
mod slices;
mod to_event;
mod visit;

pub use self::builder::ShopBuilder;
pub(crate) use self::delivery::Arrival;
pub use self::delivery::Delivery;
#[cfg(test)]
pub(crate) use self::delivery_buffer::DeliveryBuffer;
pub(crate) use self::delivery_buffer::sort_by_delivery;
pub(crate) use self::event::{CopyKind, SimulatedEvent};
pub use self::id_version::IdVersion;
pub use self::iterator::Shop;
pub(crate) use self::model::Model;
pub use self::scenario::Scenario;
pub(crate) use self::slices::slices;
