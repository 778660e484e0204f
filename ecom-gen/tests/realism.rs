//! The shop resembles real ones. Each row of the table of published measurements (`ecom_gen::profile::TARGETS`) has a
//! test, on samples with a fixed seed that are large enough for the result not to depend on the seed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ecom_gen::parameters::{ModelParameters, Seasonality};
use ecom_gen::profile::statistics::{chi_square, ks_normal};
use ecom_gen::profile::{Measure, MeasureOptions, Profile, Verdict};
use ecom_gen::{Delivery, Rate, Scenario, Shop, ShopBuilder};
use ecom_stream::{Event, EventType};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// A Monday.
const START: OffsetDateTime = datetime!(2026-01-05 00:00 UTC);

/// A shop with `events` events in this many days. Real shops have about 250 events per product and month.
fn shop(events: u32, days: i64) -> ShopBuilder {
    let rate = f64::from(events) / Duration::days(days).as_seconds_f64();
    Shop::builder(7, START)
        .products(5_000)
        .rate(Rate::per_second(rate).unwrap())
}

fn events(shop: ShopBuilder, days: i64) -> impl Iterator<Item = Event> {
    let end = START + Duration::days(days);
    shop.build().take_while(move |event| event.event_time < end)
}

fn profile(events: impl Iterator<Item = Event>) -> Profile {
    let mut measure = Measure::new(MeasureOptions::default());
    events.for_each(|event| measure.add(&(&event).into()));
    measure.finish()
}

/// Nine weeks, to compare one month with the next.
static TWO_MONTHS: LazyLock<Profile> = LazyLock::new(|| profile(events(shop(2_600_000, 63), 63)));

/// As long as the published studies of returning customers.
static LONG: LazyLock<Profile> = LazyLock::new(|| profile(events(shop(2_500_000, 540), 540)));

/// The sample must meet every target of the row, and at least one of them must have a band.
fn row(row: u8, profile: &Profile) {
    let report = profile.report();
    let mut judged = 0;
    for line in report.lines.iter().filter(|line| line.target.row == row) {
        let (name, value) = (line.target.name, line.value);
        match line.verdict {
            Verdict::In => judged += 1,
            Verdict::Unjudged => {}
            _ => {
                unreachable!("row {row}, {name}: {value:?} where {:?} is accepted", line.target.band)
            }
        }
    }
    assert!(judged > 0, "nothing says what row {row} accepts");
}

macro_rules! rows {
    ($($test:ident: $row:literal of $sample:ident;)*) => {
        $(#[test] fn $test() { row($row, &$sample); })*

        #[test]
        fn every_row_has_its_test() {
            // Row 2 is row 1 for another shop, 30 and 33 are scenarios, and 34 can be set and has no band.
            let elsewhere = [2, 30, 33, 34];
            for row in 1..=34 {
                assert_ne!([$($row),*].contains(&row), elsewhere.contains(&row), "row {row}");
            }
        }
    };
}

rows! {
    event_mix: 1 of TWO_MONTHS;
    sessions_that_buy: 3 of TWO_MONTHS;
    sessions_with_a_cart_that_do_not_buy: 4 of TWO_MONTHS;
    from_cart_to_purchase: 5 of LONG;
    users_who_buy_in_a_month: 6 of TWO_MONTHS;
    purchases_of_baskets_from_before: 7 of TWO_MONTHS;
    events_of_a_session: 8 of TWO_MONTHS;
    events_of_a_session_of_several: 9 of TWO_MONTHS;
    length_of_a_session: 10 of TWO_MONTHS;
    gaps_between_events: 11 of TWO_MONTHS;
    same_product_and_category: 12 of TWO_MONTHS;
    popularity: 13 of TWO_MONTHS;
    share_of_the_popular: 14 of TWO_MONTHS;
    products_that_are_bought: 15 of TWO_MONTHS;
    events_of_a_user: 16 of TWO_MONTHS;
    users_who_return: 17 of TWO_MONTHS;
    orders_of_a_customer: 18 of LONG;
    days_between_orders: 19 of LONG;
    lines_bought_again: 20 of LONG;
    prices: 21 of TWO_MONTHS;
    prices_by_category: 22 of TWO_MONTHS;
    order_values: 23 of TWO_MONTHS;
    lines_of_an_order: 24 of TWO_MONTHS;
    missing_brand_and_category: 25 of TWO_MONTHS;
    exact_duplicates: 26 of TWO_MONTHS;
    prices_of_zero: 27 of TWO_MONTHS;
    hours_of_the_day: 28 of TWO_MONTHS;
    days_of_the_week: 29 of TWO_MONTHS;
    bought_together: 31 of TWO_MONTHS;
    brands_and_categories: 32 of TWO_MONTHS;
}

/// The first event of each visit that begins within the sample.
fn arrivals(shop: ShopBuilder, days: i64) -> Vec<Event> {
    let mut seen = HashSet::new();
    let first = events(shop.delivery(Delivery::exact()), days).filter(|event| seen.insert(event.session_id.clone()));
    let after = START + Duration::HOUR;
    first.filter(|event| event.event_time >= after).collect()
}

#[test]
fn arrivals_follow_the_hours_by_chi_square() {
    const DAYS: i64 = 28;
    let mut observed = [0; 24];
    for event in arrivals(shop(400_000, DAYS), DAYS) {
        observed[usize::from(event.event_time.hour())] += 1;
    }
    // The hour after the start is left out.
    let hours = Seasonality::default().hours;
    let expected: Vec<f64> = (0..24)
        .map(|hour| {
            // The weights are interpolated between the middles of the hours, so an hour includes a part of its
            // neighbours.
            let (before, after) = (hours[(hour + 23) % 24], hours[(hour + 1) % 24]);
            let days = if hour == 0 { DAYS as f64 - 1.0 } else { DAYS as f64 };
            days * (before + 6.0 * hours[hour] + after) / 8.0
        })
        .collect();
    let (statistic, p) = chi_square(&observed, &expected).unwrap();
    assert!(p > 1e-4, "chi-square {statistic}, p {p}");

    // Without seasonality all weekdays are the same.
    let parameters = ModelParameters::default().steady();
    let mut observed = [0; 7];
    for event in arrivals(shop(400_000, DAYS).parameters(parameters).unwrap(), DAYS) {
        observed[usize::from(event.event_time.weekday().number_days_from_monday())] += 1;
    }
    // The first Monday lacks an hour.
    let mut expected = [96.0; 7];
    expected[0] = 95.0;
    let (statistic, p) = chi_square(&observed, &expected).unwrap();
    assert!(p > 1e-4, "chi-square {statistic}, p {p}");
}

#[test]
fn the_mix_is_the_same_all_the_time_by_chi_square() {
    // Visits are counted rather than events, because the events of a visit depend on each other: those that buy,
    // abandon a cart, or only browse, in either half.
    let mut kinds = HashMap::<String, (bool, [bool; 2])>::new();
    for event in events(shop(600_000, 28).delivery(Delivery::exact()), 28) {
        let late = event.event_time >= START + Duration::days(14);
        let (_, done) = kinds.entry(event.session_id).or_insert((late, [false; 2]));
        done[0] |= event.event_type == EventType::AddToCart;
        done[1] |= event.event_type == EventType::Purchase;
    }
    let mut halves = [[0_u64; 3]; 2];
    for (late, [cart, bought]) in kinds.into_values() {
        halves[usize::from(late)][if bought { 2 } else { usize::from(cart) }] += 1;
    }
    let all: u64 = halves[0].iter().sum();
    let of_second: u64 = halves[1].iter().sum();
    let together = |kind: usize| (halves[0][kind] + halves[1][kind]) as f64 * all as f64 / (all + of_second) as f64;
    let expected = [together(0), together(1), together(2)];
    let (statistic, p) = chi_square(&halves[0], &expected).unwrap();
    assert!(p > 1e-4, "chi-square {statistic}, p {p}");
}

#[test]
fn gaps_are_lognormal_by_kolmogorov_and_smirnov() {
    let visits = ModelParameters::default().visits;
    let mut last = HashMap::new();
    let mut logs = Vec::new();
    for event in events(shop(300_000, 7).delivery(Delivery::exact()), 7) {
        if let Some(before) = last.insert(event.session_id, event.event_time)
            && event.event_time > before
        {
            logs.push((event.event_time - before).as_seconds_f64().ln());
        }
    }
    logs.sort_unstable_by(f64::total_cmp);
    assert!(logs.len() > 100_000);
    // Gaps of more than half an hour do not occur; they would be one in a thousand.
    let distance = ks_normal(&logs, visits.gap_mu, visits.gap_sigma).unwrap();
    assert!(distance < 0.01, "{distance}");
}

#[test]
fn bundles_are_what_is_bought_together() {
    // For each product: the share of its most frequent companion among all products bought with it. The median over
    // products.
    let together = |bundle: f64| {
        let mut parameters = ModelParameters::default();
        parameters.buying.bundle = bundle;
        parameters.buying.add_another = 0.5;
        let mut orders = HashMap::<_, Vec<String>>::new();
        let purchase = |event: &Event| event.event_type == EventType::Purchase;
        for event in events(shop(800_000, 21).parameters(parameters).unwrap(), 21).filter(purchase) {
            orders
                .entry((event.session_id, event.event_time))
                .or_default()
                .push(event.product_id);
        }
        let mut others = HashMap::<&String, HashMap<&String, u32>>::new();
        for lines in orders.values() {
            for one in lines {
                for other in lines.iter().filter(|other| *other != one) {
                    *others.entry(one).or_default().entry(other).or_default() += 1;
                }
            }
        }
        let most = |others: &HashMap<&String, u32>| {
            let all: u32 = others.values().sum();
            (all >= 20).then(|| f64::from(*others.values().max().unwrap()) / f64::from(all))
        };
        let mut shares: Vec<f64> = others.values().filter_map(most).collect();
        assert!(shares.len() > 100, "{}", shares.len());
        shares.sort_unstable_by(f64::total_cmp);
        shares[shares.len() / 2]
    };
    let (without, with) = (together(0.0), together(ModelParameters::default().buying.bundle));
    assert!(with > 1.5 * without, "{with} with bundles, {without} without");
}

#[test]
fn a_campaign_resembles_those_of_row_30() {
    let from = START + Duration::days(9);
    let until = from + Duration::days(4);
    let usual = shop(600_000, 21);
    let campaign = usual.clone().scenario(Scenario::Campaign { from, until });
    let of = |shop| {
        let during = events(shop, 21).filter(move |event| (from..until).contains(&event.event_time));
        profile(during)
    };
    let (usual, campaign) = (of(usual), of(campaign));
    let events = campaign.volume.events as f64 / usual.volume.events as f64;
    assert!((1.6..4.0).contains(&events), "{events} times the events");
    let share = |profile: &Profile| profile.volume.carts as f64 / profile.volume.events as f64;
    let carts = share(&campaign) / share(&usual);
    assert!((1.6..2.4).contains(&carts), "{carts} times the carts");
    let bought = |profile: &Profile| profile.carts.bought_share.unwrap();
    let bought = bought(&campaign) / bought(&usual);
    assert!((0.35..0.8).contains(&bought), "{bought} times as many bought");
}

#[test]
fn a_wholesale_shop_resembles_that_of_row_33() {
    let wholesale = shop(400_000, 60).parameters(ModelParameters::wholesale()).unwrap();
    let mut orders = HashMap::<_, (u32, bool)>::new();
    let mut bought = HashMap::new();
    for event in events(wholesale.delivery(Delivery::exact()), 60) {
        match event.event_type {
            EventType::Purchase => {
                orders
                    .entry((event.session_id.clone(), event.event_time))
                    .or_default()
                    .0 += 1;
                bought.insert((event.session_id, event.product_id), event.event_time);
            }
            EventType::RemoveFromCart => {
                if let Some(at) = bought.get(&(event.session_id.clone(), event.product_id)) {
                    orders.get_mut(&(event.session_id, *at)).unwrap().1 = true;
                }
            }
            _ => {}
        }
    }
    let lines = orders.values().map(|(lines, _)| f64::from(*lines)).sum::<f64>() / orders.len() as f64;
    assert!((10.0..30.0).contains(&lines), "{lines} lines an order");
    let cancelled = orders.values().filter(|(_, cancelled)| *cancelled).count() as f64 / orders.len() as f64;
    assert!(
        (0.13..0.17).contains(&cancelled),
        "{cancelled} of the orders are cancelled"
    );
}

#[test]
fn late_events_can_be_set_as_in_row_34() {
    let mut delivery = Delivery::exact();
    delivery.late = 0.05;
    delivery.late_median_seconds = 900.0;
    let late = profile(events(shop(200_000, 14).delivery(delivery), 14));
    let exact = profile(events(shop(200_000, 14).delivery(Delivery::exact()), 14));
    assert_eq!(exact.arrival.late_share, 0.0);
    let share = late.arrival.late_share;
    assert!((0.03..=0.051).contains(&share), "{share} are out of order");
    let fewer = late.volume.events.abs_diff(exact.volume.events);
    assert!(fewer <= 2_000, "{fewer} events more or less");
}
