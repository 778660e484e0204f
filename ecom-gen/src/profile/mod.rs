//! What a shop's events look like, in numbers, and whether a real shop's would.
//!
//! A [`Measure`] takes events, [`read_dir`] those of a directory of files, and either gives a [`Profile`]. Its
//! [`report`](Profile::report) holds the profile against what was measured in public data sets of real shops.
//!
//! # What a profile tells
//!
//! Counts, shares, quantiles and fitted parameters, and the names of categories that at least ten users went to. It holds
//! no event, no identifier, no name of a product or a brand, and no date; the largest value of a spread is that of one
//! user, session or product, and doesn't say of which. So a shop can hand out its profile where it can't hand out its
//! events.

mod arrival;
mod assortment;
mod baskets;
mod browsing;
mod carts;
mod clock;
mod duplicates;
mod error;
mod event_ref;
mod events;
#[cfg(test)]
mod fixtures;
mod flaws;
mod gaps;
mod groups;
mod interner;
mod measure;
mod orders;
mod pairs;
mod popularity;
mod prices;
mod read;
mod report;
mod sample_length;
mod sections;
mod sessions;
pub mod statistics;
mod users;
mod volume;

pub use arrival::Arrival;
pub use assortment::{Assortment, Category};
pub use baskets::OrderGrouping;
pub use browsing::Browsing;
pub use carts::Carts;
pub use clock::Clock;
pub use error::ProfileError;
pub use event_ref::EventRef;
pub use flaws::Flaws;
pub use gaps::Gaps;
pub use measure::{Measure, MeasureOptions};
pub use orders::Orders;
pub use pairs::Pairs;
pub use popularity::Popularity;
pub use prices::Prices;
pub use read::{ReadOptions, read_dir};
pub use report::{Band, Report, ReportLine, TARGETS, Target, Unit, Verdict};
pub use sample_length::SampleLength;
pub use sections::Profile;
pub use sessions::{BuyingSessions, Sessions};
pub use users::{Months, Users};
pub use volume::Volume;

pub(crate) use self::carts::{DAY, NIGHT};
