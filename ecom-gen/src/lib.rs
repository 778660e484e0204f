//! A simulated shop: a seeded, reproducible source of e-commerce events.
//!
//! [`Shop`] simulates shoppers rather than drawing independent random events. It has a [`Catalogue`] with a tree of
//! categories, and shoppers with preferences who visit, browse a category, fill a cart and sometimes buy. The same
//! seed, start and options give the same events on every machine, byte for byte. The [`Pace`], the number of workers
//! and the size of the batches have no influence on them.
//!
//! ```
//! use ecom_gen::{Delivery, Pace, Shop, ShopSource};
//! use ecom_stream::memory::MemorySink;
//! use ecom_stream::{EventType, SourceExt};
//! use time::macros::datetime;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
//! // By default a shop sends one event in a thousand twice; this one sends each event once.
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
//! - [`Shop`] is an iterator of events, and [`ShopSource`] is a source of them for a pipeline.
//! - [`ShopFiles`] is a source of CSV files, and [`FilesSink`] writes them to a directory. [`Dirt`] adds faults to the
//!   files, and a [`Manifest`] lists every fault and what a correct ingest must store.
//! - [`ModelParameters`] sets how shoppers behave and what is sold.
//! - [`profile`] measures any shop's events and compares them with what was published about real shops.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `cli`, on by default | the program `ecom-gen` and its dependencies; `default-features = false` leaves them out |

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
