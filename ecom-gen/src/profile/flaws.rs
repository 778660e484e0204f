use serde::{Deserialize, Serialize};

use super::duplicates::Repeats;
use super::events::{Events, NONE, share};

/// What is absent, doubled or can't be used. Shares are of the events without exact duplicates where nothing else is said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flaws {
    /// Of all rows that are events: the share of those that are the same in everything as one before. Nothing else in the
    /// profile counts them.
    pub duplicate_share: f64,
    /// The share of events that have the identifier of another one.
    pub repeated_id_share: f64,
    /// The share of events without a brand.
    pub missing_brand_share: f64,
    /// The share of events without a category.
    pub missing_category_share: f64,
    /// The share of products that have a category in some events and none in others.
    pub sometimes_missing_category_share: f64,
    /// The share of events with a price of 0.
    pub zero_price_share: f64,
    /// How many rows are no events.
    pub unusable_rows: u64,
    /// How many files can't be used.
    pub unusable_files: u64,
}

impl Flaws {
    pub(super) fn of(events: &Events, repeats: Repeats, unusable_rows: u64, unusable_files: u64) -> Self {
        let count = events.rows.len();
        let mut products = vec![(false, false); events.products];
        let (mut no_brand, mut no_category, mut free) = (0, 0, 0);
        for row in &events.rows {
            no_brand += usize::from(row.brand == NONE);
            no_category += usize::from(row.category == NONE);
            free += usize::from(row.cents == 0);
            let (with, without) = &mut products[row.product as usize];
            *with |= row.category != NONE;
            *without |= row.category == NONE;
        }
        let mixed = products.iter().filter(|&&(with, without)| with && without).count();
        Self {
            duplicate_share: share(repeats.exact, count + repeats.exact),
            repeated_id_share: share(repeats.of_id, count),
            missing_brand_share: share(no_brand, count),
            missing_category_share: share(no_category, count),
            sometimes_missing_category_share: share(mixed, products.len()),
            zero_price_share: share(free, count),
            unusable_rows,
            unusable_files,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::event_ref::EventRef;
    use crate::profile::fixtures::{measure, view};

    #[test]
    fn flaws_by_hand() {
        let branded = EventRef {
            brand: Some("acme"),
            ..view(0, "u", "s", "p")
        };
        let flaws = measure([
            branded,
            EventRef {
                category: None,
                ..view(1, "u", "s", "p")
            },
            EventRef {
                cents: Some(0),
                ..view(2, "u", "s", "q")
            },
            EventRef {
                cents: None,
                ..view(3, "u", "s", "q")
            },
        ])
        .flaws;
        assert_eq!((flaws.missing_brand_share, flaws.missing_category_share), (0.75, 0.25));
        assert_eq!(
            (flaws.sometimes_missing_category_share, flaws.zero_price_share),
            (0.5, 0.25)
        );
        assert_eq!((flaws.duplicate_share, flaws.repeated_id_share), (0.0, 0.0));
    }
}
