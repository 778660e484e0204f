//! Which product a session views next.

use ecom_stream::EventType;
use serde::{Deserialize, Serialize};

use super::events::{NONE, share};
use super::groups::Groups;

/// Which product a session views next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Browsing {
    /// The share of consecutive events that are about the same product.
    pub same_product: Option<f64>,
    /// The share of consecutive views that are of the same product.
    pub same_product_views: Option<f64>,
    /// The share of consecutive events that are in the same category, among those where both have a category.
    pub same_category: Option<f64>,
    /// The share of events, after the first of a session, about a product that occurred earlier in the session.
    pub revisit: Option<f64>,
}

impl Browsing {
    pub(super) fn of(by_session: &Groups<'_>) -> Self {
        let (mut events, mut views, mut categories, mut later) =
            (Part::default(), Part::default(), Part::default(), Part::default());
        let mut products = Vec::new();
        for session in by_session.iter() {
            for (before, this) in session.pairs() {
                let same = before.product == this.product;
                events.count(same);
                if before.is(EventType::View) && this.is(EventType::View) {
                    views.count(same);
                }
                if before.category != NONE && this.category != NONE {
                    categories.count(before.category == this.category);
                }
            }
            products.clear();
            products.extend(session.iter().map(|row| row.product));
            products.sort_unstable();
            products.dedup();
            // Each product is new once; the first event is always about a new one.
            later.part += session.len() - products.len();
            later.whole += session.len() - 1;
        }
        Self {
            same_product: events.share(),
            same_product_views: views.share(),
            same_category: categories.share(),
            revisit: later.share(),
        }
    }
}

#[derive(Debug, Default)]
struct Part {
    part: usize,
    whole: usize,
}

impl Part {
    fn count(&mut self, is_part: bool) {
        self.part += usize::from(is_part);
        self.whole += 1;
    }

    fn share(&self) -> Option<f64> {
        (self.whole > 0).then(|| share(self.part, self.whole))
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::event_ref::EventRef;
    use crate::profile::fixtures::{measure, view};

    #[test]
    fn consecutive_events_are_compared() {
        // In a session: boot, boot, sock, boot. The other one has a single event.
        let steps = ["boot", "boot", "sock", "boot"];
        let mut events: Vec<_> = (0..)
            .zip(steps)
            .map(|(second, product)| view(second, "u", "s", product))
            .collect();
        events.push(view(1, "u", "t", "boot"));
        events[2].category = Some("socks");
        let browsing = measure(events.clone()).browsing;
        assert_eq!(
            (browsing.same_product, browsing.revisit),
            (Some(1.0 / 3.0), Some(2.0 / 3.0))
        );
        assert_eq!(browsing.same_category, Some(1.0 / 3.0));

        // Pairs with an event that has no category are left out.
        events[2] = EventRef {
            category: None,
            ..events[2]
        };
        assert_eq!(measure(events).browsing.same_category, Some(1.0));
    }

    #[test]
    fn single_events_have_no_next_product() {
        let browsing = measure([view(0, "u", "s", "p")]).browsing;
        assert_eq!(
            (browsing.same_product, browsing.same_category, browsing.revisit),
            (None, None, None)
        );
    }
}
