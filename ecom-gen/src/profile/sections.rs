//! The profile: one section for each aspect of the events.

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

/// A statistical description of a shop's events. A value is `None` if the sample is too short or too small for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Profile {
    /// The version of the format.
    pub version: u32,
    /// The number of events, in total and by type.
    pub volume: Volume,
    /// How long sessions are, and how they end.
    pub sessions: Sessions,
    /// The time between two events of a session.
    pub gaps: Gaps,
    /// Which product a session views next.
    pub browsing: Browsing,
    /// How many carts are bought.
    pub carts: Carts,
    /// How often users visit and return.
    pub users: Users,
    /// How views are distributed over products.
    pub popularity: Popularity,
    /// How much customers buy, and how often.
    pub orders: Orders,
    /// Which products are bought together.
    pub pairs: Pairs,
    /// The prices of products.
    pub prices: Prices,
    /// Brands and categories.
    pub assortment: Assortment,
    /// The distribution of events over hours, weekdays and days.
    pub clock: Clock,
    /// The order in which events arrive.
    pub arrival: Arrival,
    /// Missing values, duplicates, and rows that cannot be used.
    pub flaws: Flaws,
}

impl Profile {
    /// The version of the format that is written and read. Since version 2 the profile has a time zone in place of an
    /// offset from UTC.
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
    /// If a number in it is not finite, which does not occur in measured profiles.
    pub fn to_json(&self) -> Result<String, ProfileError> {
        serde_json::to_string_pretty(self).map_err(ProfileError::json)
    }

    /// Reads a profile that [`to_json`](Self::to_json) has written.
    ///
    /// # Errors
    ///
    /// If the text is not a profile, or is one of another version.
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
