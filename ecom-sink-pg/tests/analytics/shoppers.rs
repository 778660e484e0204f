//! What shoppers do.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use ecom_stream::{Event, EventType};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::sales::{cents, orders};
use crate::text::{difference, money, ratio, share, stamp};
use crate::world::{Span, check, check_set, world};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn by<'a>(span: &Span<'a>, key: impl Fn(&'a Event) -> &'a str) -> BTreeMap<&'a str, Vec<&'a Event>> {
    let mut groups: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in &span.events {
        groups.entry(key(event)).or_default().push(event);
    }
    groups
}

fn has(events: &[&Event], event_type: EventType) -> bool {
    count(events, event_type) > 0
}

fn count(events: &[&Event], event_type: EventType) -> usize {
    events.iter().filter(|event| event.event_type == event_type).count()
}

#[tokio::test]
async fn sessions() {
    let (world, client) = world().await;
    for span in world.spans() {
        let orders = orders(&span);
        let mut of_session: HashMap<&str, Vec<_>> = HashMap::new();
        for order in &orders {
            of_session.entry(order.session).or_default().push(order);
        }
        let sessions = by(&span, |event| &event.session_id);
        let lines = sessions.iter().map(|(session, events)| {
            let user = events.iter().map(|event| &event.user_id).min().unwrap();
            let start = events.iter().map(|event| event.event_time).min().unwrap();
            let end = events.iter().map(|event| event.event_time).max().unwrap();
            let [views, adds, removes, purchases] = [
                EventType::View,
                EventType::AddToCart,
                EventType::RemoveFromCart,
                EventType::Purchase,
            ]
            .map(|event_type| count(events, event_type));
            let orders = of_session.remove(session).unwrap_or_default();
            let units: i128 = orders.iter().map(|order| order.units()).sum();
            let revenue = money(orders.iter().map(|order| order.cents()).sum());
            let (times, all) = (
                format!("{}|{}|{}", stamp(start), stamp(end), difference(end - start)),
                events.len(),
            );
            let orders = orders.len();
            format!("{session}|{user}|{times}|{all}|{views}|{adds}|{removes}|{purchases}|{orders}|{units}|{revenue}")
        });
        let sql = format!("SELECT * FROM ecom.session_summary({})", span.sql());
        check_set(&client, &sql, lines.collect()).await;
    }
}

#[tokio::test]
async fn funnels() {
    let (world, client) = world().await;
    for span in world.spans() {
        for (function, groups) in [
            ("conversion_funnel", by(&span, |event| &event.session_id)),
            ("conversion_funnel_by_user", by(&span, |event| &event.user_id)),
        ] {
            let mut reached = [0; 3];
            for events in groups.values() {
                let steps = [EventType::View, EventType::AddToCart, EventType::Purchase];
                for (step, event_type) in steps.into_iter().enumerate() {
                    if !has(events, event_type) {
                        break;
                    }
                    reached[step] += 1;
                }
            }
            let [first, second, third] = reached;
            assert!(first > second && second > third && third > 0);
            let lines = vec![
                format!("1|view|{first}|1|"),
                format!(
                    "2|add_to_cart|{second}|{}|{}",
                    share(second, first),
                    share(second, first)
                ),
                format!("3|purchase|{third}|{}|{}", share(third, first), share(third, second)),
            ];
            let sql = format!("SELECT * FROM ecom.{function}({})", span.sql());
            check(&client, &sql, lines).await;
        }
    }
}

#[tokio::test]
async fn a_user_in_the_order_of_time() {
    let (world, client) = world().await;
    for span in world.spans() {
        let some = &span.events[span.events.len() / 3].user_id;
        for user in [some.as_str(), "zoo-u", "no such"] {
            let mut of_user: Vec<_> = span.events.iter().filter(|event| event.user_id == user).collect();
            of_user.sort_by_key(|event| (event.event_time, event.event_id));
            let lines = of_user.iter().map(|event| {
                let [name, category, brand] = [&event.product_name, &event.category, &event.brand]
                    .map(|text| text.as_deref().unwrap_or_default());
                let Event {
                    session_id,
                    product_id,
                    quantity,
                    event_id,
                    ..
                } = event;
                let price = event.price.map(|price| price.to_string()).unwrap_or_default();
                let (time, event_type) = (stamp(event.event_time), event.event_type.as_str());
                let product = format!("{product_id}|{name}|{category}|{brand}");
                format!("{time}|{event_type}|{session_id}|{product}|{price}|{quantity}|{event_id}")
            });
            let sql = format!("SELECT * FROM ecom.user_timeline('{user}', {})", span.sql());
            check(&client, &sql, lines.collect()).await;
        }
    }
}

#[tokio::test]
async fn what_users_are_worth() {
    let (world, client) = world().await;
    for span in world.spans() {
        let orders = orders(&span);
        let mut users: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for order in &orders {
            users.entry(order.user()).or_default().push(order);
        }
        let revenue = |user: &str| users[user].iter().map(|order| order.cents()).sum::<i128>();
        let mut ranking: Vec<&str> = users.keys().copied().collect();
        ranking.sort_by_key(|user| (-revenue(user), *user));
        let lines = ranking.iter().map(|user| {
            let orders = &users[user];
            let units: i128 = orders.iter().map(|order| order.units()).sum();
            let first = orders.iter().map(|order| order.at).min().unwrap();
            let last = orders.iter().map(|order| order.at).max().unwrap();
            let per_order = ratio(revenue(user), 100 * orders.len() as i128, 2);
            let (orders, revenue) = (orders.len(), money(revenue(user)));
            format!(
                "{user}|{orders}|{units}|{revenue}|{per_order}|{}|{}",
                stamp(first),
                stamp(last)
            )
        });
        let sql = format!("SELECT * FROM ecom.lifetime_value({})", span.sql());
        check(&client, &sql, lines.collect()).await;
    }
}

#[tokio::test]
async fn active_users() {
    let (world, client) = world().await;
    for as_of in [
        datetime!(2026-11-09 00:00 UTC),
        datetime!(2026-11-05 00:00 UTC),
        datetime!(2026-11-04 15:01:02.5 UTC),
        datetime!(2026-12-05 15:00 UTC),
    ] {
        let within = |minutes: i64| {
            let since = as_of - time::Duration::minutes(minutes);
            let active = world
                .events
                .iter()
                .filter(|event| event.event_time >= since && event.event_time < as_of);
            active.map(|event| &event.user_id).collect::<BTreeSet<_>>().len()
        };
        let counts = [5, 24 * 60, 7 * 24 * 60, 30 * 24 * 60].map(|minutes| within(minutes).to_string());
        let sql = format!("SELECT * FROM ecom.active_users('{}')", stamp(as_of));
        check(&client, &sql, vec![counts.join("|")]).await;
    }
}

/// Of each user the buckets in which something was done, and whether something was bought.
fn visits<'a>(span: &Span<'a>, bucket: Duration) -> BTreeMap<&'a str, BTreeMap<usize, bool>> {
    let mut visits: BTreeMap<&str, BTreeMap<usize, bool>> = BTreeMap::new();
    for event in &span.events {
        let of_user = visits.entry(&event.user_id).or_default();
        let bought = of_user.entry(span.bucket_of(event.event_time, bucket)).or_default();
        *bought |= event.event_type == EventType::Purchase;
    }
    visits
}

#[tokio::test]
async fn users_who_come_and_come_back() {
    let (world, client) = world().await;
    for span in world.spans() {
        for (bucket, in_sql) in [(HOUR, "1 hour"), (DAY, "1 day")] {
            let visits = visits(&span, bucket);
            let starts = span.buckets(bucket);
            let lines = starts.iter().enumerate().map(|(n, start)| {
                let here: Vec<_> = visits.values().filter(|of_user| of_user.contains_key(&n)).collect();
                let new = here.iter().filter(|of_user| of_user.keys().next() == Some(&n)).count();
                let buyers = here.iter().filter(|of_user| of_user[&n]).count();
                format!("{}|{}|{new}|{}|{buyers}", stamp(*start), here.len(), here.len() - new)
            });
            let sql = format!("SELECT * FROM ecom.users_over_time({}, '{in_sql}')", span.sql());
            check(&client, &sql, lines.collect()).await;

            let mut lines = Vec::new();
            for (n, start) in starts.iter().enumerate() {
                let cohort: Vec<_> = visits
                    .values()
                    .filter(|of_user| of_user.keys().next() == Some(&n))
                    .collect();
                if cohort.is_empty() {
                    continue;
                }
                for later in 0..starts.len() - n {
                    let back = cohort
                        .iter()
                        .filter(|of_user| of_user.contains_key(&(n + later)))
                        .count();
                    let retention = share(back, cohort.len());
                    lines.push(format!("{}|{}|{later}|{back}|{retention}", stamp(*start), cohort.len()));
                }
            }
            let sql = format!("SELECT * FROM ecom.cohort_retention({}, '{in_sql}')", span.sql());
            check(&client, &sql, lines).await;
        }
    }
}

#[tokio::test]
async fn baskets_that_are_left() {
    let (world, client) = world().await;
    for span in world.spans() {
        let sessions = by(&span, |event| &event.session_id);
        let value = |events: &[&Event]| -> i128 {
            let sum = |event_type| -> i128 {
                events
                    .iter()
                    .filter(|event| event.event_type == event_type)
                    .map(|event| cents(event))
                    .sum()
            };
            sum(EventType::AddToCart) - sum(EventType::RemoveFromCart)
        };
        let first_add = |events: &[&Event]| -> Option<OffsetDateTime> {
            let adds = events.iter().filter(|event| event.event_type == EventType::AddToCart);
            adds.map(|event| event.event_time).min()
        };
        for (bucket, in_sql) in [(HOUR, "1 hour"), (DAY, "1 day")] {
            let starts = span.buckets(bucket);
            // Baskets, purchased, value of the others.
            let mut buckets = vec![(0, 0, 0); starts.len()];
            for events in sessions.values() {
                let Some(at) = first_add(events) else { continue };
                let (baskets, purchased, left) = &mut buckets[span.bucket_of(at, bucket)];
                *baskets += 1;
                match has(events, EventType::Purchase) {
                    true => *purchased += 1,
                    false => *left += value(events).max(0),
                }
            }
            let lines = starts.iter().zip(buckets).map(|(start, (baskets, purchased, left))| {
                let abandoned = baskets - purchased;
                let (start, rate, left) = (stamp(*start), share(abandoned, baskets), money(left));
                format!("{start}|{baskets}|{purchased}|{abandoned}|{rate}|{left}")
            });
            let sql = format!("SELECT * FROM ecom.basket_abandonment({}, '{in_sql}')", span.sql());
            check(&client, &sql, lines.collect()).await;
        }
    }
}
