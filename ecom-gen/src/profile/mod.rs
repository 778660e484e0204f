//! Measures a shop's events, and compares the result with what was published about real shops.
//!
//! [`Measure`] takes events one by one, and [`read_dir`] reads those of a directory of files. Both produce a
//! [`Profile`], and [`Profile::report`] compares it with public data sets of real shops.
//!
//! # What a profile reveals
//!
//! A profile contains counts, shares, quantiles and fitted parameters, and the names of categories that at least ten
//! users visited. It contains no event, no id, no name of a product or a brand, and no date. The maximum of a
//! distribution is the value of one user, session or product, but the profile does not reveal which. So a shop can
//! share its profile even if it cannot share its events.

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
pub use error::{ProfileError, ProfileErrorKind};
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
