//! The format of a profile, and what it reveals.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::profile::Unit;
use crate::profile::event_ref::EventRef;
use crate::profile::fixtures::{DAY, cart, measure, purchase, small_shop, view};

#[test]
fn json_round_trips() {
    for profile in [measure(small_shop()), measure([])] {
        let json = profile.to_json().unwrap();
        assert_eq!(Profile::from_json(&json).unwrap(), profile);
    }
}

#[test]
fn other_json_is_refused() {
    let json = measure([]).to_json().unwrap();
    for (from, to, complaint) in [
        (
            "\"version\": 2",
            "\"version\": 1",
            "measure the files again: ecom-gen profile DIR --json",
        ),
        ("\"version\": 2", "\"version\": 3", "a newer ecom-gen"),
        ("\"version\": 2,", "", "not a profile"),
        ("\"views\"", "\"looks\"", "not a profile"),
        ("\"volume\": {", "\"volume\": { \"more\": 1,", "not a profile"),
    ] {
        assert!(json.contains(from), "{from}");
        let err = Profile::from_json(&json.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(err.contains(complaint), "{err}");
    }
}

/// A shop that shares its profile relies on this.
#[test]
fn a_profile_reveals_no_text_except_categories_of_many_users() {
    let users: Vec<String> = (0..10).map(|number: u32| format!("user-{number}")).collect();
    let mut events = Vec::new();
    for (number, user) in (0..).zip(&users) {
        let seen = EventRef {
            event_id: Some(0x5ec_4e7),
            brand: Some("secret brand"),
            category: Some("known.to.many"),
            ..view(number, user, "secret session", "secret product")
        };
        let rare = Some(if number == 0 { "secret.category" } else { "secret.too" });
        events.extend([
            seen,
            EventRef {
                micros: seen.micros + 1,
                category: rare,
                ..seen
            },
        ]);
    }
    let profile = measure(events);
    let names = profile
        .assortment
        .categories
        .iter()
        .chain(&profile.assortment.top_levels);
    let names: BTreeSet<&str> = names.map(|category| category.name.as_str()).collect();
    // All ten users visited the top level "secret", and it reveals nothing about its subcategories.
    assert_eq!(names, BTreeSet::from(["known", "known.to.many", "secret"]));
    let json = profile.to_json().unwrap();
    for text in ["user-", "secret ", "secret.", "brand\": \"", "1793577"] {
        assert!(!json.contains(text), "{text} in {json}");
    }
}

prop_compose! {
    /// Events at different instants, in their order. The order of two events at the same instant would depend on their
    /// arrival.
    fn events()(
        steps in prop::collection::vec((0..40 * DAY, 0..5_usize, 0..3_usize, 0..8_usize, 0..4_usize), 1..120),
    ) -> Vec<EventRef<'static>> {
        const NAMES: [&str; 15] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o"];
        let mut events: Vec<EventRef<'_>> = steps.into_iter().map(|(seconds, user, session, product, event_type)| {
            let make = [view, view, cart, purchase][event_type];
            EventRef {
                category: Some(NAMES[product / 2]),
                cents: Some(100 + product as i64),
                ..make(seconds, NAMES[user], NAMES[user * 3 + session], NAMES[product])
            }
        }).collect();
        events.sort_by_key(|seen| seen.micros);
        events.dedup_by_key(|seen| seen.micros);
        events
    }
}

proptest! {
    #[test]
    fn the_order_of_events_changes_only_the_section_arrival(
        (events, shuffled) in events().prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
    ) {
        let in_order = measure(events);
        prop_assert_eq!(in_order.arrival.late_share, 0.0);
        let shuffled = measure(shuffled);
        prop_assert_eq!(Profile { arrival: in_order.arrival.clone(), ..shuffled }, in_order);
    }

    #[test]
    fn shares_are_between_0_and_1(events in events()) {
        let profile = measure(events);
        let json = profile.to_json().unwrap();
        prop_assert_eq!(Profile::from_json(&json).unwrap(), profile.clone());
        for line in profile.report().lines.iter().filter(|line| line.target.unit == Unit::Percent) {
            prop_assert!(line.value.is_none_or(|share| (0.0..=1.0).contains(&share)), "{line:?}");
        }
    }
}
