//! A shop that is simulated: a seeded source of e-commerce events.
//!
//! A model, not dice: [`Shop`] has a [`Catalogue`] with a tree of categories, and shoppers with tastes who come, look
//! around in a category, fill a basket and sometimes buy. The same seed, start and options give the same events, to the
//! byte, on every machine, however they are paced and cut into batches.
//!
//! ```
//! use ecom_gen::{Delivery, Pace, Shop, ShopSource};
//! use ecom_stream::memory::MemorySink;
//! use ecom_stream::{EventType, SourceExt};
//! use time::macros::datetime;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
//! // Unless it is told otherwise, a shop sends one event in a thousand twice.
//! let shop = Shop::builder(42, datetime!(2026-11-23 09:00 UTC)).products(500).delivery(Delivery::exact());
//! let sink = MemorySink::new("doc");
//! ShopSource::new(shop).pace(Pace::AsFastAsPossible).events(2_000).to(sink.clone()).run().await?;
//!
//! let events = sink.values();
//! assert_eq!(events.len(), 2_000);
//! assert!(events.is_sorted_by_key(|event| event.event_time));
//! assert!(events.iter().any(|event| event.event_type == EventType::Purchase));
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `cli`, on by default | the program `ecom-gen` and what it needs; the library alone wants `default-features = false` |

mod calibration;
mod catalogue;
mod csv_row;
mod dirt;
mod files;
mod manifest;
mod micros;
pub mod parameters;
pub mod profile;
mod random;
mod rate;
mod shop;
mod source;
mod zone;

pub use catalogue::{Catalogue, Product};
pub use dirt::{Dirt, FaultKind};
pub use files::{FilePart, FilesSink, RollingPolicy, ShopFiles};
pub use manifest::{
    Amount, AmountError, CountByType, ExpectedCounts, Fault, FileEntry, FileState, FileStatistics, Manifest, Totals,
};
pub use parameters::{ModelParameters, ParameterError};
pub use rate::{Rate, RateError};
pub use shop::{Delivery, IdVersion, Scenario, Shop, ShopBuilder};
pub use source::{Pace, ShopSource};
pub use zone::{Zone, ZoneError};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
