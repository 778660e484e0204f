//! The options that all sources of a shop share, and their setters.

use std::sync::Arc;

use ecom_stream::{Split, Topology};
use time::OffsetDateTime;

use super::pace::{Now, Pace};
use crate::shop::ShopBuilder;

/// The options that all sources of a shop share.
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
    /// The defaults: the events come live, without an end.
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

/// Adds the setters of [`SourceOptions`] to a source with the field `options`.
macro_rules! impl_source_options {
    ($source:ident, name: $name:literal) => {
        impl $source {
            #[doc = concat!("Sets the name of the source in the pipeline. The default is `", $name, "`.")]
            pub fn name(mut self, name: impl Into<String>) -> Self {
                self.options.name = name.into();
                self
            }

            /// Sets the location under which the source is described in the sink's ledger. The default is `simulation`.
            pub fn location(mut self, location: impl Into<String>) -> Self {
                self.options.location = location.into();
                self
            }

            /// Sets when events are handed out. The default is [`Pace::Live`](crate::Pace::Live).
            pub fn pace(mut self, pace: $crate::source::Pace) -> Self {
                self.options.pace = pace;
                self
            }

            /// Ends after this many events, counted from the start of the shop.
            pub fn events(mut self, events: impl Into<Option<u64>>) -> Self {
                self.options.events = events.into();
                self
            }

            /// Ends with the last event that is delivered before `until`.
            pub fn until(mut self, until: impl Into<Option<time::OffsetDateTime>>) -> Self {
                self.options.until = until.into();
                self
            }

            /// Sets the number of threads that simulate at a time, at least 1. The default is 1. The result does not
            /// depend on it.
            pub fn workers(mut self, workers: usize) -> Self {
                self.options.workers = workers.max(1);
                self
            }

            /// Sets the clock that [`Pace::Live`](crate::Pace::Live) and [`Pace::Times`](crate::Pace::Times) use, in
            /// place of the system clock.
            pub fn clock(mut self, clock: impl Fn() -> time::OffsetDateTime + Send + Sync + 'static) -> Self {
                self.options.now = std::sync::Arc::new(clock);
                self
            }
        }
    };
}

pub(crate) use impl_source_options;
