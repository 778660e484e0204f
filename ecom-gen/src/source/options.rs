//! What the sources of a shop have in common: what can be set, and how.

use std::sync::Arc;

use ecom_stream::{Split, Topology};
use time::OffsetDateTime;

use super::pace::{Now, Pace};
use crate::shop::ShopBuilder;

/// See the [module](self).
#[derive(Clone)]
pub(crate) struct SourceOptions {
    pub(crate) name: String,
    pub(crate) location: String,
    pub(crate) shop: ShopBuilder,
    pub(crate) pace: Pace,
    pub(crate) events: Option<u64>,
    pub(crate) until: Option<OffsetDateTime>,
    pub(crate) workers: usize,
    pub(crate) now: Now,
}

impl SourceOptions {
    /// Live, without an end.
    pub(crate) fn new(name: &str, shop: ShopBuilder) -> Self {
        Self {
            name: name.to_owned(),
            location: "simulation".to_owned(),
            shop,
            pace: Pace::default(),
            events: None,
            until: None,
            workers: 1,
            now: Arc::new(OffsetDateTime::now_utc),
        }
    }

    pub(crate) fn describe(&self, topology: &mut Topology) {
        topology.add_source(self.name.clone(), self.location.clone());
    }

    pub(crate) fn split(&self) -> Split {
        Split::new(self.name.clone(), format!("seed={}", self.shop.seed))
    }
}

/// How a source with `settings` is set.
macro_rules! impl_source_options {
    ($source:ident, name: $name:literal) => {
        impl $source {
            #[doc = concat!("The name of the source in the pipeline, in place of `", $name, "`.")]
            pub fn name(mut self, name: impl Into<String>) -> Self {
                self.options.name = name.into();
                self
            }

            /// Where a sink's ledger says that the source reads, in place of `simulation`.
            pub fn location(mut self, location: impl Into<String>) -> Self {
                self.options.location = location.into();
                self
            }

            /// When what happens in the shop is handed out, in place of [`Pace::Live`](crate::Pace::Live).
            pub fn pace(mut self, pace: $crate::source::Pace) -> Self {
                self.options.pace = pace;
                self
            }

            /// Ends after that many events, counted from the start of the shop.
            pub fn events(mut self, events: impl Into<Option<u64>>) -> Self {
                self.options.events = events.into();
                self
            }

            /// Ends with what leaves the shop before `until`.
            pub fn until(mut self, until: impl Into<Option<time::OffsetDateTime>>) -> Self {
                self.options.until = until.into();
                self
            }

            /// How many threads work at a time, in place of 1; at least 1. That changes nothing in what they make.
            pub fn workers(mut self, workers: usize) -> Self {
                self.options.workers = workers.max(1);
                self
            }

            /// The clock that [`Pace::Live`](crate::Pace::Live) and [`Pace::Times`](crate::Pace::Times) go by, in place of the system's.
            pub fn clock(mut self, clock: impl Fn() -> time::OffsetDateTime + Send + Sync + 'static) -> Self {
                self.options.now = std::sync::Arc::new(clock);
                self
            }
        }
    };
}

pub(crate) use impl_source_options;
