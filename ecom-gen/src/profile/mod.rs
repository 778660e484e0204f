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
mod events;
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
mod sessions;
pub mod statistics;
mod users;
mod volume;

#[cfg(test)]
mod by_hand;

use serde::{Deserialize, Serialize};

pub use arrival::Arrival;
pub use assortment::{Assortment, Category};
pub use baskets::OrderIs;
pub use browsing::Browsing;
pub use carts::Carts;
pub use clock::Clock;
pub use error::ProfileError;
pub use flaws::Flaws;
pub use gaps::Gaps;
pub use measure::{Measure, MeasureOptions, Seen};
pub use orders::Orders;
pub use pairs::Pairs;
pub use popularity::Popularity;
pub use prices::Prices;
pub use read::{ReadOptions, read_dir};
pub use report::{Band, Line, Report, Sample, TARGETS, Target, Unit, Verdict};
pub use sessions::{BuyingSessions, Sessions};
pub use users::{Months, Users};
pub use volume::Volume;

use self::baskets::Baskets;
pub(crate) use self::carts::{DAY, NIGHT};
use self::duplicates::Repeats;
use self::events::Events;
use self::groups::Groups;

/// What events look like. What has no meaning for a sample, since it is too short or too small, is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The version of the format.
    pub version: u32,
    /// How many events there are, and of which type.
    pub volume: Volume,
    /// How long sessions are, and how they end.
    pub sessions: Sessions,
    /// The time between two events of a session.
    pub gaps: Gaps,
    /// Where a session goes from a product.
    pub browsing: Browsing,
    /// What becomes of carts.
    pub carts: Carts,
    /// How often people come, and come again.
    pub users: Users,
    /// How unequal products are.
    pub popularity: Popularity,
    /// Who buys how much, and how often.
    pub orders: Orders,
    /// What is bought together.
    pub pairs: Pairs,
    /// What products cost.
    pub prices: Prices,
    /// Brands and categories.
    pub assortment: Assortment,
    /// Hours, weekdays, days.
    pub clock: Clock,
    /// In which order events come.
    pub arrival: Arrival,
    /// What is absent, doubled or can't be used.
    pub flaws: Flaws,
}

impl Profile {
    /// The version of the format that is written and read. 2: [`Clock::zone`] took the place of an offset from UTC.
    pub const VERSION: u32 = 2;

    fn of(events: &Events, repeats: Repeats, unusable_rows: u64, unusable_files: u64) -> Self {
        let by_session = Groups::new(&events.rows, events.sessions, |row| row.session);
        let (sessions, gaps) = (Sessions::of(&by_session), Gaps::of(&by_session));
        let (browsing, carts) = (Browsing::of(&by_session), Carts::of(events, &by_session));
        drop(by_session);
        let users = Users::of(events, &Groups::new(&events.rows, events.users, |row| row.user));
        let baskets = Baskets::of(events);
        Self {
            version: Self::VERSION,
            volume: Volume::of(events),
            sessions,
            gaps,
            browsing,
            carts,
            users,
            popularity: Popularity::of(events),
            orders: Orders::of(&baskets),
            pairs: Pairs::of(&baskets),
            prices: Prices::of(events),
            assortment: Assortment::of(events),
            clock: Clock::of(events),
            arrival: Arrival::of(events),
            flaws: Flaws::of(events, repeats, unusable_rows, unusable_files),
        }
    }

    /// The profile as JSON.
    ///
    /// # Errors
    ///
    /// When a number in it is none that JSON has, which no measured profile holds.
    pub fn to_json(&self) -> Result<String, ProfileError> {
        serde_json::to_string_pretty(self).map_err(ProfileError::json)
    }

    /// Reads a profile that [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// When it is no profile, or one of another version.
    pub fn from_json(text: &str) -> Result<Self, ProfileError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_str(text).map_err(ProfileError::json)?;
        if version != Self::VERSION {
            return Err(ProfileError::version(version));
        }
        serde_json::from_str(text).map_err(ProfileError::json)
    }
}

#[cfg(test)]
mod tests;
