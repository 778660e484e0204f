//! Missing values, duplicates, and rows that cannot be used.

use serde::{Deserialize, Serialize};

use super::duplicates::Repeats;
use super::events::{Events, NONE, share};

/// Missing values, duplicates, and rows that cannot be used. Unless stated otherwise, shares are of the events without
/// exact duplicates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Flaws {
    /// The share of exact duplicates among all events. The rest of the profile leaves them out.
    pub duplicate_share: f64,
    /// The share of events that have the id of another event.
    pub repeated_id_share: f64,
    /// The share of events without a brand.
    pub missing_brand_share: f64,
    /// The share of events without a category.
    pub missing_category_share: f64,
    /// The share of products that have a category in some events and none in others.
    pub sometimes_missing_category_share: f64,
    /// The share of events with a price of 0.
    pub zero_price_share: f64,
    /// The number of rows that are not events.
    pub unusable_rows: u64,
    /// The number of files that cannot be used.
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
    fn flaws_are_counted() {
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
