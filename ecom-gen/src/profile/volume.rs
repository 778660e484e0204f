//! The number of events, in total and by type.

use ecom_stream::EventType;
use serde::{Deserialize, Serialize};

use super::events::{Events, share};
use crate::rate::Rate;

const SECONDS_A_DAY: f64 = 86_400.0;

/// The number of events, in total and by type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Volume {
    /// The number of events, without exact duplicates.
    pub events: u64,
    /// The number of users.
    pub users: u64,
    /// The number of sessions.
    pub sessions: u64,
    /// The number of products.
    pub products: u64,
    /// The days from the first event to the last.
    pub days: f64,
    /// The number of `view` events.
    pub views: u64,
    /// The number of `add_to_cart` events.
    pub carts: u64,
    /// The number of `remove_from_cart` events.
    pub removals: u64,
    /// The number of `purchase` events.
    pub purchases: u64,
    /// The share of purchases with quantity 1.
    pub single_piece_share: Option<f64>,
    /// The mean quantity of purchases.
    pub pieces_mean: Option<f64>,
}

impl Volume {
    pub(super) fn of(events: &Events) -> Self {
        let mut by_type = [0; EventType::ALL.len()];
        for row in &events.rows {
            by_type[row.event_type as usize] += 1;
        }
        let count = |event_type| by_type[event_type as usize];
        let purchases = count(EventType::Purchase);
        let single = events.of(EventType::Purchase).filter(|row| row.quantity == 1).count();
        let pieces: u64 = events.of(EventType::Purchase).map(|row| u64::from(row.quantity)).sum();
        Self {
            events: events.rows.len() as u64,
            users: events.users as u64,
            sessions: events.sessions as u64,
            products: events.products as u64,
            days: events.days(),
            views: count(EventType::View),
            carts: count(EventType::AddToCart),
            removals: count(EventType::RemoveFromCart),
            purchases,
            single_piece_share: (purchases > 0).then(|| share(single, purchases as usize)),
            pieces_mean: (purchases > 0).then(|| pieces as f64 / purchases as f64),
        }
    }

    /// The average number of events per second; `None` if all events are at the same time.
    pub fn rate(&self) -> Option<Rate> {
        let per_second = self.events as f64 / (self.days * SECONDS_A_DAY);
        Rate::per_second(per_second.min(Rate::MAX.events_per_second()))
            .ok()
            .filter(|_| self.days > 0.0)
    }

    /// The share of events of this type; `None` if there are no events, or if the type is not measured.
    pub fn share(&self, event_type: EventType) -> Option<f64> {
        let count = match event_type {
            EventType::View => self.views,
            EventType::AddToCart => self.carts,
            EventType::RemoveFromCart => self.removals,
            EventType::Purchase => self.purchases,
            _ => return None,
        };
        (self.events > 0).then(|| count as f64 / self.events as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::event_ref::EventRef;
    use crate::profile::fixtures::{measure, purchase, small_shop};

    #[test]
    fn events_are_counted() {
        let volume = measure(small_shop()).volume;
        assert_eq!(
            (volume.events, volume.users, volume.sessions, volume.products),
            (7, 2, 3, 2)
        );
        assert_eq!(
            (volume.views, volume.carts, volume.removals, volume.purchases),
            (4, 2, 0, 1)
        );
        assert_eq!(volume.share(EventType::AddToCart), Some(2.0 / 7.0));
        assert_eq!((volume.single_piece_share, volume.pieces_mean), (Some(1.0), Some(1.0)));
        assert!((volume.rate().unwrap().events_per_second() * 86_410.0 - 7.0).abs() < 1e-9);
        assert!((volume.days - (1.0 + 10.0 / 86_400.0)).abs() < 1e-12);
    }

    #[test]
    fn only_purchases_count_as_pieces() {
        let three = EventRef {
            quantity: 3,
            ..purchase(0, "u", "s", "p")
        };
        let volume = measure([three, purchase(1, "u", "s", "p")]).volume;
        assert_eq!((volume.single_piece_share, volume.pieces_mean), (Some(0.5), Some(2.0)));
    }

    #[test]
    fn no_events() {
        let volume = measure([]).volume;
        assert_eq!((volume.events, volume.days, volume.pieces_mean), (0, 0.0, None));
        assert_eq!((volume.share(EventType::View), volume.rate()), (None, None));
        assert_eq!(measure([purchase(1, "u", "s", "p")]).volume.rate(), None);
    }
}
