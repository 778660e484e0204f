//! What was sold.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ecom_stream::{Event, EventType};
use time::OffsetDateTime;

use crate::text::{money, ratio, share, stamp};
use crate::world::{Span, check, check_set, world};

/// Price times quantity.
pub(crate) fn cents(event: &Event) -> i128 {
    event.price.map_or(0, |price| i128::from(price.cents())) * i128::from(event.quantity)
}

pub(crate) struct Order<'a> {
    pub(crate) session: &'a str,
    pub(crate) at: OffsetDateTime,
    pub(crate) lines: Vec<&'a Event>,
}

impl Order<'_> {
    pub(crate) fn user(&self) -> &str {
        self.lines.iter().map(|line| line.user_id.as_str()).min().unwrap()
    }

    pub(crate) fn units(&self) -> i128 {
        self.lines.iter().map(|line| i128::from(line.quantity)).sum()
    }

    pub(crate) fn cents(&self) -> i128 {
        self.lines.iter().map(|line| cents(line)).sum()
    }
}

pub(crate) fn orders<'a>(span: &Span<'a>) -> Vec<Order<'a>> {
    let mut orders: BTreeMap<_, Vec<&Event>> = BTreeMap::new();
    for event in span.of_type(EventType::Purchase) {
        orders
            .entry((event.session_id.as_str(), event.event_time))
            .or_default()
            .push(event);
    }
    let orders = orders.into_iter();
    orders
        .map(|((session, at), lines)| Order { session, at, lines })
        .collect()
}

#[tokio::test]
async fn events_per_minute_and_by_type() {
    let (world, client) = world().await;
    for span in world.spans() {
        let mut minutes: BTreeMap<OffsetDateTime, (usize, [usize; 4], i128)> = BTreeMap::new();
        for event in &span.events {
            let time = event.event_time;
            let minute = time.replace_nanosecond(0).unwrap().replace_second(0).unwrap();
            let (events, types, revenue) = minutes.entry(minute).or_default();
            *events += 1;
            types[event.event_type as usize] += 1;
            if event.event_type == EventType::Purchase {
                *revenue += cents(event);
            }
        }
        let number = |event_type: EventType| event_type as usize;
        let lines = minutes.iter().map(|(minute, (events, types, revenue))| {
            let [views, adds, removes, purchases] = [
                EventType::View,
                EventType::AddToCart,
                EventType::RemoveFromCart,
                EventType::Purchase,
            ]
            .map(|event_type| types[number(event_type)]);
            let revenue = money(*revenue);
            format!(
                "{}|{events}|{views}|{adds}|{removes}|{purchases}|{revenue}",
                stamp(*minute)
            )
        });
        let sql = format!("SELECT * FROM ecom.events_per_minute({})", span.sql());
        check_set(&client, &sql, lines.collect()).await;

        let mut types: BTreeMap<&str, (usize, i128)> = BTreeMap::new();
        for event in &span.events {
            let of_type = types.entry(event.event_type.as_str()).or_default();
            of_type.0 += 1;
            of_type.1 += if event.event_type == EventType::Purchase {
                cents(event)
            } else {
                0
            };
        }
        let mut types: Vec<_> = types.into_iter().collect();
        types.sort_by_key(|(_, (events, _))| Reverse(*events));
        let lines = types.iter().map(|(name, (events, revenue))| {
            format!(
                "{name}|{events}|{}|{}",
                share(*events, span.events.len()),
                money(*revenue)
            )
        });
        let sql = format!("SELECT * FROM ecom.events_by_type({})", span.sql());
        check(&client, &sql, lines.collect()).await;
    }
}

#[tokio::test]
async fn orders_and_sales_over_time() {
    let (world, client) = world().await;
    for span in world.spans() {
        let orders = orders(&span);
        assert!(orders.iter().any(|order| order.lines.len() > 1));
        let lines = orders.iter().map(|order| {
            let (lines, revenue) = (order.lines.len(), money(order.cents()));
            format!(
                "{}|{}|{}|{lines}|{}|{revenue}",
                order.session,
                stamp(order.at),
                order.user(),
                order.units()
            )
        });
        let sql = format!("SELECT * FROM ecom.orders({})", span.sql());
        check_set(&client, &sql, lines.collect()).await;

        for (bucket, in_sql) in [
            (Duration::from_secs(900), "15 minutes"),
            (Duration::from_secs(86_400), "1 day"),
        ] {
            let starts = span.buckets(bucket);
            let mut buckets = vec![Vec::new(); starts.len()];
            for order in &orders {
                buckets[span.bucket_of(order.at, bucket)].push(order);
            }
            let lines = starts.iter().zip(&buckets).map(|(start, orders)| {
                let buyers: BTreeSet<_> = orders.iter().map(|order| order.user()).collect();
                let units: i128 = orders.iter().map(|order| order.units()).sum();
                let revenue: i128 = orders.iter().map(|order| order.cents()).sum();
                let per_order = ratio(revenue, 100 * orders.len() as i128, 2);
                let (start, buyers, orders) = (stamp(*start), buyers.len(), orders.len());
                let revenue = if orders == 0 { "0".into() } else { money(revenue) };
                format!("{start}|{orders}|{buyers}|{units}|{revenue}|{per_order}")
            });
            let sql = format!("SELECT * FROM ecom.sales_over_time({}, '{in_sql}')", span.sql());
            check(&client, &sql, lines.collect()).await;
        }
    }
}

#[tokio::test]
async fn buckets_have_an_end() {
    let (_, client) = world().await;
    let buckets = "SELECT ecom.buckets('2026-01-31', '2026-04-01', '1 month')";
    let expected = r#"{"2026-01-31 00:00:00+00","2026-02-28 00:00:00+00","2026-03-28 00:00:00+00"}"#;
    check(&client, buckets, vec![expected.into()]).await;
    check(
        &client,
        "SELECT ecom.buckets('2026-01-31', '2026-01-31', '1 month')",
        vec!["{}".into()],
    )
    .await;
    check(
        &client,
        "SELECT * FROM ecom.sales_over_time('2026-01-31', '2026-01-30')",
        vec![],
    )
    .await;
    for wrong in [
        "'-infinity', now(), '1 day'",
        "now(), 'infinity', '1 day'",
        "NULL, now(), '1 day'",
        "'2026-01-01', '2027-01-01', '0'",
        "'2026-01-01', '2027-01-01', '-1 day'",
        "'2026-01-01', '2027-01-01', NULL",
        "'2026-01-01', '2027-01-01', '1 second'",
    ] {
        let err = client
            .batch_execute(&format!("SELECT ecom.buckets({wrong})"))
            .await
            .unwrap_err();
        assert_eq!(err.code().unwrap().code(), "22023", "{wrong}");
    }
}

#[tokio::test]
async fn hours_of_the_week() {
    let (world, client) = world().await;
    for span in world.spans() {
        for (zone, offset_s) in [("UTC", 0), ("Asia/Kolkata", 19_800)] {
            let mut cells = vec![(0, 0, 0); 7 * 24];
            for event in &span.events {
                let local = event.event_time + time::Duration::seconds(offset_s);
                let weekday = usize::from(local.weekday().number_days_from_monday());
                let (events, purchases, revenue) = &mut cells[weekday * 24 + usize::from(local.hour())];
                *events += 1;
                if event.event_type == EventType::Purchase {
                    *purchases += 1;
                    *revenue += cents(event);
                }
            }
            let lines = cells.iter().enumerate().map(|(at, (events, purchases, revenue))| {
                format!("{}|{}|{events}|{purchases}|{}", at / 24 + 1, at % 24, money(*revenue))
            });
            let sql = format!("SELECT * FROM ecom.hour_by_weekday({}, '{zone}')", span.sql());
            check(&client, &sql, lines.collect()).await;
        }
    }
}
