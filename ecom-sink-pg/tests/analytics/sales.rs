//! What was sold.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use ecom_stream::{Event, EventType};
use time::OffsetDateTime;

use crate::text::{money, ratio, share, stamp};
use crate::world::{Span, check, check_set, world};

/// What the functions about products, brands and categories count.
#[derive(Clone, Default)]
struct Measures {
    views: usize,
    adds: usize,
    purchases: usize,
    units: i128,
    cents: i128,
}

impl Measures {
    fn add(&mut self, event: &Event) {
        match event.event_type {
            EventType::View => self.views += 1,
            EventType::AddToCart => self.adds += 1,
            EventType::RemoveFromCart => {}
            EventType::Purchase => {
                self.purchases += 1;
                self.units += i128::from(event.quantity);
                self.cents += cents(event);
            }
        }
    }

    fn of<'a>(events: impl Iterator<Item = &'a Event>) -> Self {
        let mut measures = Self::default();
        events.for_each(|event| measures.add(event));
        measures
    }

    fn line(&self) -> String {
        let Self {
            views,
            adds,
            purchases,
            units,
            ..
        } = self;
        let conversion = share(*purchases, *views);
        format!("{views}|{adds}|{purchases}|{units}|{}|{conversion}", money(self.cents))
    }

    fn rank(&self) -> (Reverse<i128>, Reverse<usize>, Reverse<usize>) {
        (Reverse(self.cents), Reverse(self.purchases), Reverse(self.views))
    }
}

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

fn grouped<'a, K: Ord>(events: &[&'a Event], key: impl Fn(&'a Event) -> Option<K>) -> BTreeMap<K, Measures> {
    let mut groups: BTreeMap<K, Measures> = BTreeMap::new();
    for event in events {
        if let Some(key) = key(event) {
            groups.entry(key).or_default().add(event);
        }
    }
    groups
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

/// What describes a product: of each the latest that is known, of several at that time the first.
fn latest<'a>(events: &[&'a Event], what: impl Fn(&'a Event) -> &'a Option<String>) -> String {
    let described = events
        .iter()
        .filter_map(|event| Some((Reverse(event.event_time), what(event).as_deref()?)));
    described.min().map(|(_, text)| text.to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn top_products_and_those_of_a_category() {
    let (world, client) = world().await;
    for span in world.spans() {
        let mut products: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
        for event in &span.events {
            products.entry(&event.product_id).or_default().push(event);
        }
        let mut measured: Vec<_> = products
            .iter()
            .map(|(product, events)| (Measures::of(events.iter().copied()), *product, events))
            .collect();
        measured.sort_by_key(|(measures, product, _)| (measures.rank(), *product));
        let lines = measured.iter().map(|(measures, product, events)| {
            let [name, category, brand] = [
                latest(events, |event| &event.product_name),
                latest(events, |event| &event.category),
                latest(events, |event| &event.brand),
            ];
            format!("{product}|{name}|{category}|{brand}|{}", measures.line())
        });
        let sql = format!("SELECT * FROM ecom.top_products({})", span.sql());
        check(&client, &sql, lines.collect()).await;

        for category in [
            "zoo",
            "zoo.cat",
            "zo%",
            "zoo_cat",
            "nothing",
            "electronics",
            "electronics.smartphone",
        ] {
            let below = format!("{category}.");
            let within: Vec<&Event> = span
                .events
                .iter()
                .copied()
                .filter(|event| {
                    let of_event = event.category.as_deref();
                    of_event.is_some_and(|of_event| of_event == category || of_event.starts_with(&below))
                })
                .collect();
            let mut products: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
            for event in within {
                products.entry(&event.product_id).or_default().push(event);
            }
            let mut measured: Vec<_> = products
                .iter()
                .map(|(product, events)| (Measures::of(events.iter().copied()), *product, events))
                .collect();
            measured.sort_by_key(|(measures, product, _)| (measures.rank(), *product));
            let lines = measured.iter().map(|(measures, product, events)| {
                let name = latest(events, |event| &event.product_name);
                let brand = latest(events, |event| &event.brand);
                format!("{product}|{name}|{brand}|{}", measures.line())
            });
            let sql = format!("SELECT * FROM ecom.products_of_category('{category}', {})", span.sql());
            check(&client, &sql, lines.collect()).await;
        }
    }
}

#[tokio::test]
async fn top_brands_and_categories() {
    let (world, client) = world().await;
    for span in world.spans() {
        type Key = fn(&Event) -> &Option<String>;
        let by: [(&str, Key); 2] = [
            ("top_brands", |event| &event.brand),
            ("top_categories", |event| &event.category),
        ];
        for (function, key) in by {
            let mut groups: Vec<_> = grouped(&span.events, |event| Some(key(event))).into_iter().collect();
            // Null comes last.
            groups.sort_by_key(|(key, measures)| (measures.rank(), key.is_none(), (*key).clone()));
            let lines = groups
                .iter()
                .map(|(key, measures)| format!("{}|{}", key.as_deref().unwrap_or_default(), measures.line()));
            let sql = format!("SELECT * FROM ecom.{function}({})", span.sql());
            check(&client, &sql, lines.collect()).await;
        }

        let mut nodes: BTreeMap<Vec<&str>, Measures> = BTreeMap::new();
        for event in &span.events {
            let category = event.category.as_deref().unwrap_or_default();
            let parts: Vec<&str> = category.split('.').collect();
            for level in 1..=parts.len() {
                if !category.is_empty() {
                    nodes.entry(parts[..level].to_vec()).or_default().add(event);
                }
            }
        }
        let lines = nodes
            .iter()
            .map(|(path, measures)| format!("{}|{}|{}", path.join("."), path.len(), measures.line()));
        let sql = format!("SELECT * FROM ecom.category_tree({})", span.sql());
        check(&client, &sql, lines.collect()).await;
    }
}

#[tokio::test]
async fn a_product_in_the_order_of_time() {
    let (world, client) = world().await;
    for span in world.spans() {
        let popular = &span.events[span.events.len() / 2].product_id;
        for product in [popular.as_str(), "pair-a", "no such"] {
            let mut of_product: Vec<_> = span.events.iter().filter(|event| event.product_id == product).collect();
            of_product.sort_by_key(|event| (event.event_time, event.event_id));
            let lines = of_product.iter().map(|event| {
                let Event {
                    user_id,
                    session_id,
                    quantity,
                    event_id,
                    ..
                } = event;
                let price = event.price.map(|price| price.to_string()).unwrap_or_default();
                let (time, event_type) = (stamp(event.event_time), event.event_type.as_str());
                format!("{time}|{event_type}|{user_id}|{session_id}|{price}|{quantity}|{event_id}")
            });
            let sql = format!("SELECT * FROM ecom.product_timeline('{product}', {})", span.sql());
            check(&client, &sql, lines.collect()).await;
        }
    }
}

#[tokio::test]
async fn bands_of_prices() {
    let (world, client) = world().await;
    for span in world.spans() {
        for (bounds, in_sql) in [
            (vec![10, 20, 50, 100, 200, 500, 1_000, 2_000], ""),
            (vec![10, 20], ", '{20, NULL, 10, 10.0}'"),
            (vec![], ", '{}'"),
        ] {
            let mut bands = vec![Measures::default(); bounds.len() + 1];
            for event in &span.events {
                if let Some(price) = event.price {
                    let band = bounds.iter().filter(|bound| price.cents() >= **bound * 100).count();
                    bands[band].add(event);
                }
            }
            let bound = |at: Option<usize>| at.and_then(|at| bounds.get(at)).map(i64::to_string).unwrap_or_default();
            let lines = bands
                .iter()
                .enumerate()
                .map(|(n, measures)| format!("{}|{}|{}", bound(n.checked_sub(1)), bound(Some(n)), measures.line()));
            let sql = format!("SELECT * FROM ecom.price_bands({}{in_sql})", span.sql());
            check(&client, &sql, lines.collect()).await;
        }
    }
}

#[tokio::test]
async fn products_bought_together() {
    let (world, client) = world().await;
    for span in world.spans() {
        let orders: Vec<BTreeSet<&str>> = orders(&span)
            .iter()
            .map(|order| order.lines.iter().map(|line| line.product_id.as_str()).collect())
            .collect();
        let mut of_product: HashMap<&str, usize> = HashMap::new();
        let mut of_pair: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for order in &orders {
            for a in order {
                *of_product.entry(a).or_default() += 1;
                for b in order.iter().filter(|b| *b > a) {
                    *of_pair.entry((a, b)).or_default() += 1;
                }
            }
        }
        let total = orders.len();
        for min_orders in [1, 2] {
            let mut pairs: Vec<_> = of_pair.iter().filter(|(_, orders)| **orders >= min_orders).collect();
            let lift = |(a, b): (&str, &str), orders: usize| {
                ratio((orders * total) as i128, (of_product[a] * of_product[b]) as i128, 4)
            };
            pairs.sort_by_key(|(pair, orders)| {
                let lift: f64 = lift(**pair, **orders).parse().unwrap();
                (Reverse(**orders), Reverse((lift * 1e4).round() as i64), **pair)
            });
            assert!(!pairs.is_empty());
            let lines = pairs.iter().map(|(pair, orders)| {
                let ((a, b), orders) = (**pair, **orders);
                let of_orders = ratio(orders as i128, total as i128, 6);
                let given = [share(orders, of_product[a]), share(orders, of_product[b])].join("|");
                format!("{a}|{b}|{orders}|{of_orders}|{given}|{}", lift(**pair, orders))
            });
            let sql = format!("SELECT * FROM ecom.product_pairs({}, {min_orders})", span.sql());
            check(&client, &sql, lines.collect()).await;
        }
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
