//! What sells.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use ecom_stream::{Event, EventType};

use crate::sales::{cents, orders};
use crate::text::{money, ratio, share, stamp};
use crate::world::{check, world};

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
            EventType::Purchase => {
                self.purchases += 1;
                self.units += i128::from(event.quantity);
                self.cents += cents(event);
            }
            _ => {}
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

fn grouped<'a, K: Ord>(events: &[&'a Event], key: impl Fn(&'a Event) -> Option<K>) -> BTreeMap<K, Measures> {
    let mut groups: BTreeMap<K, Measures> = BTreeMap::new();
    for event in events {
        if let Some(key) = key(event) {
            groups.entry(key).or_default().add(event);
        }
    }
    groups
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
