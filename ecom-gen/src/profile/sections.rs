//! The profile: a section for each aspect of the events.

use serde::{Deserialize, Serialize};

use super::arrival::Arrival;
use super::assortment::Assortment;
use super::baskets::Baskets;
use super::browsing::Browsing;
use super::carts::Carts;
use super::clock::Clock;
use super::duplicates::Repeats;
use super::error::ProfileError;
use super::events::Events;
use super::flaws::Flaws;
use super::gaps::Gaps;
use super::groups::Groups;
use super::orders::Orders;
use super::pairs::Pairs;
use super::popularity::Popularity;
use super::prices::Prices;
use super::sessions::Sessions;
use super::users::Users;
use super::volume::Volume;

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

    pub(super) fn of(events: &Events, repeats: Repeats, unusable_rows: u64, unusable_files: u64) -> Self {
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
            return Err(ProfileError::version(version, Self::VERSION));
        }
        serde_json::from_str(text).map_err(ProfileError::json)
    }
}

#[cfg(test)]
mod tests;
