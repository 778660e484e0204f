//! How long sessions are, and how they end.

use ecom_stream::EventType;
use serde::{Deserialize, Serialize};

use super::events::{SECOND, share};
use super::groups::Groups;
use super::statistics::SummaryStatistics;

/// How long sessions are, and how they end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Sessions {
    /// The share of sessions with a purchase.
    pub bought_share: f64,
    /// The share of sessions that add a product to the cart and do not buy.
    pub cart_only_share: f64,
    /// The share of sessions with a single event.
    pub single_share: f64,
    /// The number of events per session.
    pub events: Option<SummaryStatistics>,
    /// The number of events per session, of sessions with at least two.
    pub events_of_two_or_more: Option<SummaryStatistics>,
    /// The seconds from the first event to the last.
    pub seconds: Option<SummaryStatistics>,
    /// Sessions with a purchase; `None` if there are none.
    pub buying: Option<BuyingSessions>,
}

/// Sessions with a purchase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BuyingSessions {
    /// The seconds from the first event to the last.
    pub seconds: SummaryStatistics,
    /// The number of views per session.
    pub views: SummaryStatistics,
}

impl Sessions {
    pub(super) fn of(by_session: &Groups<'_>) -> Self {
        let (mut bought, mut cart_only) = (0, 0);
        let (mut lengths, mut seconds) = (Vec::new(), Vec::new());
        let (mut buying_seconds, mut buying_views) = (Vec::new(), Vec::new());
        for session in by_session.iter() {
            let has = |event_type| session.iter().any(|row| row.is(event_type));
            let duration = session.span() as f64 / SECOND as f64;
            lengths.push(session.len() as f64);
            seconds.push(duration);
            if has(EventType::Purchase) {
                bought += 1;
                buying_seconds.push(duration);
                buying_views.push(session.iter().filter(|row| row.is(EventType::View)).count() as f64);
            } else if has(EventType::AddToCart) {
                cart_only += 1;
            }
        }
        let count = lengths.len();
        let events = SummaryStatistics::of(&mut lengths);
        // `SummaryStatistics::of` has sorted them.
        let single = lengths.partition_point(|&length| length < 2.0);
        let buying = SummaryStatistics::of(&mut buying_seconds).zip(SummaryStatistics::of(&mut buying_views));
        Self {
            bought_share: share(bought, count),
            cart_only_share: share(cart_only, count),
            single_share: share(single, count),
            events,
            events_of_two_or_more: SummaryStatistics::of(&mut lengths[single..]),
            seconds: SummaryStatistics::of(&mut seconds),
            buying: buying.map(|(seconds, views)| BuyingSessions { seconds, views }),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::fixtures::{measure, small_shop};

    #[test]
    fn sessions_are_counted_by_how_they_end() {
        let sessions = measure(small_shop()).sessions;
        let third = 1.0 / 3.0;
        assert_eq!((sessions.bought_share, sessions.cart_only_share), (third, third));
        assert_eq!(sessions.single_share, third);
        let (all, of_two) = (sessions.events.unwrap(), sessions.events_of_two_or_more.unwrap());
        assert_eq!((all.count, all.mean, all.median, all.max), (3, 7.0 / 3.0, 2.0, 4.0));
        assert_eq!((of_two.count, of_two.mean), (2, 3.0));
        assert_eq!(sessions.seconds.unwrap().median, 10.0);
        let buying = sessions.buying.unwrap();
        assert_eq!((buying.seconds.median, buying.views.mean), (80.0, 2.0));
    }

    #[test]
    fn no_sessions() {
        let sessions = measure([]).sessions;
        assert_eq!((sessions.bought_share, sessions.events), (0.0, None));
        assert!(sessions.buying.is_none());
    }
}
