//! What a line is worth: its own total, or price times quantity.

use super::{Event, EventType, Price};

impl Event {
    /// What the line is worth, in hundredths: [`line_total`](Self::line_total) if it has one, else price times quantity. `None` without
    /// either.
    ///
    /// ```
    /// use ecom_stream::{Event, EventType, Price};
    /// use time::macros::datetime;
    /// use uuid::Uuid;
    ///
    /// let at = datetime!(2026-11-01 12:00 UTC);
    /// let mut fuel = Event::new(Uuid::nil(), at, EventType::Purchase, "u", "s", "fuel");
    /// assert_eq!(fuel.amount(), None);
    /// (fuel.quantity, fuel.price) = (3, Price::from_cents(110));
    /// assert_eq!(fuel.amount(), Some(330));
    /// (fuel.quantity, fuel.line_total) = (12_500, Price::from_cents(3_000));
    /// assert_eq!(fuel.amount(), Some(3_000));
    /// ```
    pub fn amount(&self) -> Option<i128> {
        match (self.line_total, self.price) {
            (Some(total), _) => Some(total.cents().into()),
            (None, Some(price)) => Some(i128::from(price.cents()) * i128::from(self.quantity)),
            (None, None) => None,
        }
    }

    /// What the event adds to the revenue, in hundredths: the [`amount`](Self::amount) of a purchase, minus that of a refund, and 0 for
    /// all other types. Sums are right within one [`currency`](Self::currency) only.
    ///
    /// ```
    /// # use ecom_stream::{Event, EventType, Price};
    /// # use time::macros::datetime;
    /// # use uuid::Uuid;
    /// let mut event = Event::new(Uuid::nil(), datetime!(2026-11-01 12:00 UTC), EventType::Refund, "u", "s", "p");
    /// event.price = Price::from_cents(990);
    /// assert_eq!(event.revenue(), -990);
    /// event.event_type = EventType::AddToCart;
    /// assert_eq!(event.revenue(), 0);
    /// ```
    pub fn revenue(&self) -> i128 {
        match self.event_type {
            EventType::Purchase => self.amount().unwrap_or_default(),
            EventType::Refund => -self.amount().unwrap_or_default(),
            _ => 0,
        }
    }
}

/// The price of one piece and the total of the line, as an event keeps them. A total that is price times quantity is not kept, and one
/// that can be divided by the quantity becomes the price. Nothing is rounded.
pub(super) fn price_and_total(
    price: Option<Price>,
    total: Option<Price>,
    quantity: i32,
) -> (Option<Price>, Option<Price>) {
    let Some(in_total) = total.map(Price::cents) else {
        return (price, None);
    };
    let pieces = i64::from(quantity.max(1));
    match price {
        Some(of_one) if of_one.cents().checked_mul(pieces) == Some(in_total) => (price, None),
        None if in_total % pieces == 0 => (Price::from_cents(in_total / pieces), None),
        _ => (price, total),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_total_becomes_the_price_where_that_is_exact() {
        let cents = |price: Option<i64>| price.and_then(Price::from_cents);
        for (price, total, quantity, expected) in [
            (None, Some(300), 3, (Some(100), None)),
            (None, Some(3_000), 12_500, (None, Some(3_000))),
            (Some(100), Some(300), 3, (Some(100), None)),
            (Some(100), Some(250), 3, (Some(100), Some(250))),
            (Some(100), None, 3, (Some(100), None)),
            (
                Some(999_999_999_999),
                Some(1),
                i32::MAX,
                (Some(999_999_999_999), Some(1)),
            ),
            (None, None, 3, (None, None)),
            (None, Some(0), 3, (Some(0), None)),
        ] {
            let kept = price_and_total(cents(price), cents(total), quantity);
            assert_eq!(
                kept,
                (cents(expected.0), cents(expected.1)),
                "{price:?} {total:?} {quantity}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_amount_is_the_total_that_was_given(total in 0..=Price::MAX.cents(), quantity in 1..=i32::MAX) {
            let time = time::macros::datetime!(2026-11-01 12:00 UTC);
            let mut event = Event::new(uuid::Uuid::nil(), time, EventType::Purchase, "u", "s", "p");
            (event.price, event.line_total) = price_and_total(None, Price::from_cents(total), quantity);
            event.quantity = quantity;
            prop_assert_eq!(event.amount(), Some(total.into()));
        }
    }
}
