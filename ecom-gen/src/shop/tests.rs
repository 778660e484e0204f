use std::collections::{HashMap, HashSet};

use csv_async::ByteRecord;
use ecom_stream::{EventType, ToCsv};
use time::macros::datetime;

use super::*;

const START: OffsetDateTime = datetime!(2026-11-01 00:00 UTC);

/// The digest of the events as they stand in CSV.
fn digest(events: impl Iterator<Item = Event>) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut record = ByteRecord::new();
    for event in events {
        record.clear();
        event.to_csv(&mut record);
        for field in &record {
            hasher.update(field);
            hasher.update(b"\0");
        }
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

#[test]
fn a_seed_gives_the_same_events_for_ever() {
    // Whoever changes this makes old seeds give other events: then raise MODEL in source.rs.
    let events = Shop::builder(42, START).build().take(5_000);
    assert_eq!(digest(events), "e9a287805695432ad25d27617c34cfb3");
}

#[test]
fn every_parameter_matters() {
    let of = |shop: ShopBuilder| digest(shop.build().take(500));
    let base = || Shop::builder(1, START);
    let all = [
        of(base()),
        of(Shop::builder(2, START)),
        of(Shop::builder(1, START + time::Duration::SECOND)),
        of(base().rate(Rate::per_second(600.0).unwrap())),
        of(base().products(500)),
        of(base().shoppers(500)),
    ];
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert_eq!(all[0], of(base()));
}

#[test]
fn passing_over_events_changes_nothing() {
    let mut shop = Shop::builder(3, START).build();
    shop.skip_events(700);
    assert_eq!(
        digest(shop.take(500)),
        digest(Shop::builder(3, START).build().skip(700).take(500))
    );
}

#[test]
fn strange_sizes_work() {
    let slowest = Rate::per_second(1e-3).unwrap();
    for shop in [
        Shop::builder(u64::MAX, datetime!(1969-12-31 23:00 UTC))
            .products(0)
            .shoppers(0),
        Shop::builder(0, START).rate(slowest),
    ] {
        assert_eq!(shop.build().take(50).count(), 50);
    }
    let end = datetime!(9999-12-31 23:59:59 UTC);
    assert!(Shop::builder(0, end).build().take(100_000).count() < 100_000);
}

#[test]
fn events_are_like_those_of_a_shop() {
    const EVENTS: usize = 300_000;
    let events: Vec<Event> = Shop::builder(11, START).build().take(EVENTS).collect();
    assert!(events.is_sorted_by_key(|event| event.event_time));
    assert!(events[0].event_time >= START);
    assert_eq!(
        events.iter().map(|event| event.event_id).collect::<HashSet<_>>().len(),
        EVENTS
    );
    for event in &events {
        assert_eq!(event.event_id.get_version_num(), 7);
        assert!(event.price.is_some() && event.quantity >= 1);
    }

    // Right from the start: the shop does not open empty.
    for (first, last) in [(0, EVENTS / 10), (0, EVENTS - 1), (EVENTS / 2, EVENTS - 1)] {
        let took = events[last].event_time - events[first].event_time;
        let rate = (last - first) as f64 / took.as_seconds_f64();
        assert!((475.0..525.0).contains(&rate), "{rate} from {first} to {last}");
    }

    let share = |event_type| {
        let count = events.iter().filter(|event| event.event_type == event_type).count();
        100.0 * count as f64 / EVENTS as f64
    };
    assert!((92.0..98.0).contains(&share(EventType::View)));
    assert!((1.5..6.0).contains(&share(EventType::AddToCart)));
    assert!((0.01..1.0).contains(&share(EventType::RemoveFromCart)));
    assert!((0.7..2.5).contains(&share(EventType::Purchase)));

    let mut sold: HashMap<&str, usize> = HashMap::new();
    for event in &events {
        *sold.entry(&event.product_id).or_default() += 1;
    }
    let mut popularity: Vec<usize> = sold.into_values().collect();
    popularity.sort_unstable_by(|a, b| b.cmp(a));
    let head: usize = popularity[..popularity.len() / 10].iter().sum();
    assert!((0.4..0.85).contains(&(head as f64 / EVENTS as f64)));
}

#[test]
fn sessions_go_from_view_to_cart_to_purchase() {
    let mut shop = Shop::builder(12, START).build();
    // What those did before the shop opened was never seen.
    let under_way: HashSet<String> = (1..=shop.next_session).map(|number| shop.session_id(number)).collect();
    assert!(under_way.len() > 10_000);
    let events: Vec<Event> = shop.by_ref().take(600_000).collect();
    let ends = events[events.len() - 1].event_time - time::Duration::minutes(10);
    let mut sessions: HashMap<&str, Vec<&Event>> = HashMap::new();
    for event in events.iter().filter(|event| !under_way.contains(&event.session_id)) {
        sessions.entry(&event.session_id).or_default().push(event);
    }

    let mut whole = 0;
    let (mut bought, mut left, mut single, mut count, mut same_category) = (0, 0, 0, 0, 0);
    for session in sessions.values() {
        let mut basket = Vec::new();
        let mut seen = HashSet::new();
        let (mut carts, mut purchases) = (0, 0);
        for event in session {
            assert_eq!(event.user_id, session[0].user_id);
            let item = (&event.product_id, event.quantity);
            match event.event_type {
                EventType::View => {
                    seen.insert(&event.product_id);
                }
                EventType::AddToCart => {
                    assert!(seen.contains(&event.product_id));
                    basket.push(item);
                    carts += 1;
                }
                EventType::RemoveFromCart | EventType::Purchase => {
                    let at = basket.iter().position(|in_basket| *in_basket == item);
                    basket.remove(at.expect("it was in the basket"));
                    purchases += usize::from(event.event_type == EventType::Purchase);
                }
            }
        }
        if session[0].event_time < ends {
            whole += 1;
            bought += usize::from(purchases > 0);
            left += usize::from(purchases == 0 && carts > 0);
            single += usize::from(session.len() == 1);
            count += session.len();
            let pairs = session.windows(2);
            same_category += pairs.filter(|pair| pair[0].category == pair[1].category).count();
        }
    }
    let percent = |part: usize| 100.0 * part as f64 / whole as f64;
    assert!((2.0..8.0).contains(&percent(bought)), "{}", percent(bought));
    assert!((3.0..10.0).contains(&percent(left)), "{}", percent(left));
    assert!((30.0..45.0).contains(&percent(single)), "{}", percent(single));
    assert!((3.5..6.0).contains(&(count as f64 / whole as f64)));
    assert!(same_category as f64 / (count - whole) as f64 > 0.7);
}
