//! Trending products: every two minutes, the three products with the most attention in the last ten minutes. Hopping windows add up
//! points by product, and a window over their results keeps the top three.
//!
//! ```sql
//! SELECT * FROM (
//!   SELECT *, row_number() OVER (PARTITION BY window_end ORDER BY points DESC, product_id DESC) AS place
//!   FROM (SELECT window_end, product_id, sum(points) AS points
//!         FROM TABLE(HOP(TABLE events, DESCRIPTOR(event_time), INTERVAL '2' MINUTE, INTERVAL '10' MINUTE))
//!         GROUP BY window_end, product_id))
//! WHERE place <= 3
//! ```
//!
//! `cargo run --example trending` needs no database: the results stay in memory.

#![allow(clippy::print_stdout, reason = "this is a program")]

mod text_table;

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::time::Duration;

use ecom_gen::{Delivery, Pace, Rate, Shop, ShopBuilder, ShopSource};
use ecom_stream::aggregate::{Sum, TopK};
use ecom_stream::memory::MemorySink;
use ecom_stream::operators::{EventTime, Windowed};
use ecom_stream::time::macros::datetime;
use ecom_stream::{Event, EventType, SourceExt, Timestamp};
use text_table::print_table;

const EVENTS: u64 = 20_000;
const TEN_MINUTES: Duration = Duration::from_mins(10);
const TWO_MINUTES: Duration = Duration::from_mins(2);
const PLACES: usize = 3;

/// The top products, by the end of the window: points and product id.
type Trending = BTreeMap<Timestamp, Vec<(i128, String)>>;

/// The points of an event.
fn points(event: &Event) -> u8 {
    match event.event_type {
        EventType::View => 1,
        EventType::AddToCart => 5,
        EventType::Purchase => 20,
        _ => 0,
    }
}

fn shop() -> Result<ShopBuilder, Box<dyn Error>> {
    let shop = Shop::builder(7, datetime!(2026-11-02 18:00 UTC)).rate(Rate::per_second(10.0)?);
    Ok(shop.delivery(Delivery::exact()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let trending = MemorySink::new("trending");
    ShopSource::new(shop()?)
        .pace(Pace::AsFastAsPossible)
        .events(EVENTS)
        .event_time(|event: &Event| event.event_time, Duration::from_secs(30))
        .key_by(|event: &Event| event.product_id.clone())
        .hopping(TEN_MINUTES, TWO_MINUTES)
        .aggregate(Sum::of(points))
        // All results of a hopping window have its last moment as their time, so one tumbling window contains exactly these.
        .via(EventTime::new(|product: &Windowed<_, _>| product.window.last(), Duration::ZERO).named("windows"))
        .key_by(|_| ())
        .named("top")
        .tumbling(TWO_MINUTES)
        .aggregate(TopK::of(PLACES, |product: &Windowed<String, i128>| {
            (product.value, product.key.clone())
        }))
        .map(|top| (top.window.end, top.value))
        .to(trending.clone())
        .last_run(true)
        .run()
        .await?;

    let trending: Trending = trending.values().into_iter().collect();
    let shop = shop()?.build();
    let products = shop.catalogue().products().iter();
    let names: HashMap<&str, &str> = products.map(|product| (&*product.id, &*product.name)).collect();
    let rows = trending
        .iter()
        .skip(trending.len().saturating_sub(8))
        .map(|(until, best)| {
            let until = until.to_datetime();
            let places = best
                .iter()
                .map(|(points, id)| format!("{points} {}", short(names[&**id])));
            std::iter::once(format!("{:02}:{:02}", until.hour(), until.minute())).chain(places)
        });
    print_table(&["until", "first", "second", "third"], rows);

    println!("\n{} windows", trending.len());
    match trending == by_hand()? {
        true => Ok(()),
        false => Err("a plain loop over the events finds other products".into()),
    }
}

/// The part of a name before its first comma.
fn short(name: &str) -> &str {
    name.split(',').next().unwrap_or(name)
}

/// The expected results, from a plain loop over the events.
fn by_hand() -> Result<Trending, Box<dyn Error>> {
    let (size, slide) = (TEN_MINUTES.as_micros() as i64, TWO_MINUTES.as_micros() as i64);
    let mut windows: BTreeMap<i64, BTreeMap<String, i128>> = BTreeMap::new();
    for event in shop()?.build().take(EVENTS as usize) {
        let first_end = (Timestamp::from(event.event_time).as_micros() / slide + 1) * slide;
        for end in (first_end..first_end + size).step_by(slide as usize) {
            *windows
                .entry(end)
                .or_default()
                .entry(event.product_id.clone())
                .or_default() += i128::from(points(&event));
        }
    }
    let best = |products: BTreeMap<String, i128>| {
        let mut products: Vec<_> = products
            .into_iter()
            .map(|(product, points)| (points, product))
            .collect();
        products.sort_by(|a, b| b.cmp(a));
        products.truncate(PLACES);
        products
    };
    Ok(windows
        .into_iter()
        .map(|(end, products)| (Timestamp::from_micros(end), best(products)))
        .collect())
}
