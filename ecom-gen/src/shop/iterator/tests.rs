//! The events of a shop: reproducible, in order, consistent, and at the requested rate.

use std::collections::{HashMap, HashSet};

use csv_async::ByteRecord;
use ecom_stream::{EventType, ToCsv};
use time::Duration;
use time::macros::datetime;

use super::*;
use crate::parameters::ModelParameters;
use crate::rate::Rate;
use crate::shop::{Delivery, IdVersion, Scenario};

const START: OffsetDateTime = datetime!(2026-11-01 00:00 UTC);

/// The digest of the events as CSV fields.
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

fn slow(seed: u64, start: OffsetDateTime) -> ShopBuilder {
    Shop::builder(seed, start)
        .rate(Rate::per_second(5.0).unwrap())
        .products(500)
}

#[test]
fn a_seed_gives_the_same_events_for_ever() {
    // A change of this digest means that seeds give other events than before: then raise `MODEL_VERSION` in
    // source/position.rs.
    let events = Shop::builder(42, START).build().take(5_000);
    assert_eq!(digest(events), "022551b8094ee04ebb757b7d415f4e20");
}

#[test]
fn every_option_changes_the_events() {
    let of = |shop: ShopBuilder| digest(shop.build().take(3_000));
    let base = || slow(1, START);
    let mut parameters = ModelParameters::default();
    parameters.visits.same_product = 0.3;
    let delivery = Delivery {
        late: 0.2,
        ..Delivery::default()
    };
    let hour = Duration::HOUR;
    let campaign = Scenario::Campaign {
        from: START,
        until: START + hour,
    };
    let all = [
        of(base()),
        of(slow(2, START)),
        of(slow(1, START + Duration::MINUTE)),
        of(base().rate(Rate::per_second(6.0).unwrap())),
        of(base().products(600)),
        of(base().shoppers(500)),
        of(base().zone("+05:00".parse().unwrap())),
        of(base().parameters(parameters).unwrap()),
        of(base().delivery(delivery)),
        of(base().delivery(Delivery::exact())),
        of(base().scenario(campaign)),
        of(slow(1, START + hour).scenario(Scenario::Bot)),
        of(slow(1, START + hour)),
        of(base().ids(IdVersion::V4)),
    ];
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert_eq!(all[0], of(base()));
}

#[test]
fn a_shop_that_starts_later_has_the_same_events_from_then_on() {
    let later = START + Duration::minutes(95);
    let of = |start: OffsetDateTime| slow(3, start).delivery(Delivery::exact()).build();
    let early: Vec<Event> = of(START)
        .skip_while(|event| event.event_time < later)
        .take(2_000)
        .collect();
    assert!(early == of(later).take(2_000).collect::<Vec<_>>());
}

#[test]
fn a_shop_can_end_at_a_given_time() {
    for (events, at) in [
        (20_000, START),
        (20_000, START + Duration::hours(12)),
        (1, START),
        (0, START),
    ] {
        let shop = slow(3, START).delivery(Delivery::exact()).ending_at(at, events);
        let last = shop.build().take(events as usize).last();
        let early = last.map_or(Duration::ZERO, |last| at - last.event_time);
        assert!(
            (Duration::ZERO..Duration::hours(4)).contains(&early),
            "{events} until {at}: {early}"
        );
    }
}

#[test]
fn extreme_options_work() {
    let slowest = Rate::per_second(1e-3).unwrap();
    for shop in [
        Shop::builder(u64::MAX, datetime!(1969-12-31 23:00 UTC))
            .products(0)
            .shoppers(0)
            .rate(slowest),
        Shop::builder(0, START).rate(slowest),
    ] {
        assert_eq!(shop.build().take(50).count(), 50);
    }
    let end = datetime!(9999-12-31 23:59:59 UTC);
    assert!(slow(0, end).build().take(100_000).count() < 100_000);
}

#[test]
fn events_are_valid_and_in_order() {
    let events: Vec<Event> = slow(11, START)
        .delivery(Delivery::exact())
        .build()
        .take(20_000)
        .collect();
    assert!(events.is_sorted_by_key(|event| event.event_time));
    assert!(events[0].event_time >= START);
    let ids: HashSet<_> = events.iter().map(|event| event.event_id).collect();
    assert_eq!(ids.len(), events.len());
    let mut sessions: HashMap<&str, &str> = HashMap::new();
    for event in &events {
        assert_eq!(event.event_id.get_version_num(), 7);
        assert!(event.price.is_some() && event.quantity >= 1);
        assert_eq!(
            *sessions.entry(&event.session_id).or_insert(&event.user_id),
            event.user_id
        );
    }
}

#[test]
fn the_rate_holds_from_the_start_and_over_a_week() {
    let parameters = ModelParameters::default().steady();
    let rate = Rate::per_second(200.0).unwrap();
    let shop = Shop::builder(11, START).rate(rate).delivery(Delivery::exact());
    let events: Vec<Event> = shop
        .clone()
        .parameters(parameters)
        .unwrap()
        .build()
        .take(100_000)
        .collect();
    for (first, last) in [(0, 20_000), (50_000, 99_999)] {
        let took = events[last].event_time - events[first].event_time;
        let rate = (last - first) as f64 / took.as_seconds_f64();
        assert!((190.0..210.0).contains(&rate), "{rate} from {first} to {last}");
    }

    // A whole week of a small shop.
    let week = Duration::WEEK;
    let shop = shop.rate(Rate::per_second(0.5).unwrap());
    let events = shop.build().take_while(|event| event.event_time < START + week).count();
    let rate = events as f64 / week.as_seconds_f64();
    assert!((0.48..0.52).contains(&rate), "{rate}");
}

#[test]
fn purchases_were_in_the_cart_before() {
    let events: Vec<Event> = slow(12, START)
        .delivery(Delivery::exact())
        .build()
        .take(60_000)
        .collect();
    let begun_here: HashSet<&str> = {
        // The first events of visits that began before the start are missing.
        let after = START + Duration::HOUR;
        let early: HashSet<&str> = events
            .iter()
            .take_while(|event| event.event_time < after)
            .map(|event| event.session_id.as_str())
            .collect();
        events
            .iter()
            .map(|event| event.session_id.as_str())
            .filter(|id| !early.contains(id))
            .collect()
    };
    let mut visits: HashMap<&str, Vec<&Event>> = HashMap::new();
    for event in &events {
        if begun_here.contains(event.session_id.as_str()) {
            visits.entry(&event.session_id).or_default().push(event);
        }
    }
    let (mut bought, mut from_before, mut orders_of_several) = (0, 0, 0);
    for visit in visits.values() {
        let mut basket: HashMap<&str, i32> = HashMap::new();
        assert_eq!(visit[0].event_type, EventType::View);
        for (at, event) in visit.iter().enumerate() {
            let product = event.product_id.as_str();
            match event.event_type {
                EventType::View => {}
                EventType::AddToCart => {
                    assert!(visit[..at].iter().any(|before| before.product_id == event.product_id));
                    *basket.entry(product).or_default() += event.quantity;
                }
                EventType::RemoveFromCart => assert_eq!(basket.remove(product), Some(event.quantity)),
                EventType::Purchase => {
                    bought += 1;
                    match basket.remove(product) {
                        Some(quantity) => assert_eq!(quantity, event.quantity),
                        None => from_before += 1,
                    }
                    let several = at > 0
                        && visit[at - 1].event_type == EventType::Purchase
                        && visit[at - 1].event_time == event.event_time;
                    orders_of_several += usize::from(several);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(
        bought > 300 && from_before > 20 && orders_of_several > 20,
        "{bought} {from_before} {orders_of_several}"
    );
}
