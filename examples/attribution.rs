//! Attribution: for each purchase, the last view of the product by the same user within the half hour before. An interval join finds all
//! such views, and a window over its results keeps the last one.
//!
//! ```sql
//! SELECT purchases.event_id, max(views.event_time) FROM purchases LEFT JOIN views
//!   ON views.user_id = purchases.user_id AND views.product_id = purchases.product_id
//!  AND views.event_time BETWEEN purchases.event_time - INTERVAL '30' MINUTE AND purchases.event_time
//! GROUP BY purchases.event_id
//! ```
//!
//! `cargo run --example attribution` needs no database: the results stay in memory.

#![allow(clippy::print_stdout, reason = "this is a program")]

mod text_table;

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::time::Duration;

use ecom_gen::{Delivery, Pace, Rate, Shop, ShopBuilder, ShopSource};
use ecom_stream::aggregate::Min;
use ecom_stream::memory::MemorySink;
use ecom_stream::operators::IntervalJoin;
use ecom_stream::time::{self, macros::datetime};
use ecom_stream::uuid::Uuid;
use ecom_stream::{Either, Event, EventType, SourceExt, Timed};
use text_table::print_table;

const EVENTS: u64 = 60_000;
const HALF_AN_HOUR: time::Duration = time::Duration::minutes(30);

/// A purchase, and the time since the last view of its product, if there was one.
type Attributed = (Uuid, Option<time::Duration>);

fn shop() -> Result<ShopBuilder, Box<dyn Error>> {
    let shop = Shop::builder(7, datetime!(2026-11-02 12:00 UTC)).rate(Rate::per_second(5.0)?);
    Ok(shop.delivery(Delivery::exact()))
}

fn user_and_product(event: &Event) -> (String, String) {
    (event.user_id.clone(), event.product_id.clone())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sink = MemorySink::new("attributed");
    ShopSource::new(shop()?)
        .pace(Pace::AsFastAsPossible)
        .events(EVENTS)
        .filter(|event| matches!(event.event_type, EventType::View | EventType::Purchase))
        .route(|event| event.event_type == EventType::View)
        .event_time(
            |event: &Either<Event, Event>| event.as_inner().event_time,
            Duration::from_secs(30),
        )
        .via(IntervalJoin::new(user_and_product, user_and_product, time::Duration::ZERO, HALF_AN_HOUR).keep_right(true))
        .flat_map(|timed| {
            let (view, purchase) = timed.value.into_options();
            let purchase = purchase?;
            let delay = view.map(|view| purchase.event_time - view.event_time);
            Some(Timed::new((purchase.event_id, delay), timed.time, timed.watermark))
        })
        // All pairs of a purchase have its time, so they are all in the same window.
        .key_by(|(purchase, _): &Attributed| *purchase)
        .tumbling(Duration::from_secs(1))
        .aggregate(Min::of(|(_, delay): &Attributed| *delay))
        .map(|purchase| (purchase.key, purchase.value.flatten()))
        .to(sink.clone())
        .last_run(true)
        .run()
        .await?;

    let attributed: BTreeMap<Uuid, Option<time::Duration>> = sink.values().into_iter().collect();
    let mut purchases: BTreeMap<&str, u32> = BTreeMap::new();
    for delay in attributed.values() {
        let delay = match delay.map(time::Duration::whole_minutes) {
            Some(0) => "within  1 minute",
            Some(1..5) => "within  5 minutes",
            Some(_) => "within 30 minutes",
            None => "without a view",
        };
        *purchases.entry(delay).or_default() += 1;
    }
    let share = |n: u32| 100.0 * f64::from(n) / attributed.len() as f64;
    print_table(
        &["time since the view", "purchases", "share"],
        purchases
            .iter()
            .map(|(delay, n)| [delay.to_string(), n.to_string(), format!("{:.1} %", share(*n))]),
    );

    println!("\n{} purchases", sink.values().len());
    match attributed == by_hand()? && attributed.len() == sink.values().len() {
        true => Ok(()),
        false => Err("a plain loop over the events finds other views".into()),
    }
}

/// The expected results, from a plain loop over the events.
fn by_hand() -> Result<BTreeMap<Uuid, Option<time::Duration>>, Box<dyn Error>> {
    let (mut last_view, mut purchases) = (HashMap::new(), BTreeMap::new());
    for event in shop()?.build().take(EVENTS as usize) {
        let (key, time) = (user_and_product(&event), event.event_time);
        match event.event_type {
            EventType::View => drop(last_view.insert(key, time)),
            EventType::Purchase => {
                let delay = last_view.get(&key).map(|viewed| time - *viewed);
                purchases.insert(event.event_id, delay.filter(|delay| *delay <= HALF_AN_HOUR));
            }
            _ => {}
        }
    }
    Ok(purchases)
}
