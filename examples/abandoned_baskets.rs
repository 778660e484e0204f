//! Abandoned baskets: products that a user put into a cart and did not buy within half an hour. An interval join keeps records without
//! a match, and emits each one as soon as no later record can match it.
//!
//! ```sql
//! SELECT carts.* FROM carts LEFT JOIN purchases
//!   ON purchases.user_id = carts.user_id AND purchases.product_id = carts.product_id
//!  AND purchases.event_time BETWEEN carts.event_time AND carts.event_time + INTERVAL '30' MINUTE
//! WHERE purchases.event_id IS NULL
//! ```
//!
//! `cargo run --example abandoned_baskets` needs no database: the results stay in memory.

#![allow(clippy::print_stdout, reason = "this is a program")]

mod text_table;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::time::Duration;

use ecom_gen::{Delivery, Pace, Rate, Shop, ShopBuilder, ShopSource};
use ecom_stream::memory::MemorySink;
use ecom_stream::operators::{IntervalJoin, Joined};
use ecom_stream::time::{self, macros::datetime};
use ecom_stream::{Either, Event, EventType, SourceExt};
use text_table::print_table;

const EVENTS: u64 = 60_000;
const HALF_AN_HOUR: time::Duration = time::Duration::minutes(30);

fn shop() -> Result<ShopBuilder, Box<dyn Error>> {
    let shop = Shop::builder(7, datetime!(2026-11-02 12:00 UTC)).rate(Rate::per_second(5.0)?);
    Ok(shop.delivery(Delivery::exact()))
}

fn user_and_product(event: &Event) -> (String, String) {
    (event.user_id.clone(), event.product_id.clone())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sink = MemorySink::new("abandoned");
    ShopSource::new(shop()?)
        .pace(Pace::AsFastAsPossible)
        .events(EVENTS)
        .filter(|event| matches!(event.event_type, EventType::AddToCart | EventType::Purchase))
        .route(|event| event.event_type == EventType::AddToCart)
        .event_time(
            |event: &Either<Event, Event>| event.as_inner().event_time,
            Duration::from_secs(30),
        )
        .via(IntervalJoin::new(user_and_product, user_and_product, time::Duration::ZERO, HALF_AN_HOUR).keep_left(true))
        .flat_map(|joined| match joined.value {
            Joined::Left(cart) => Some(cart),
            _ => None,
        })
        .to(sink.clone())
        .last_run(true)
        .run()
        .await?;

    let abandoned = sink.values();
    let mut worth: BTreeMap<&str, (u64, i64)> = BTreeMap::new();
    for cart in &abandoned {
        let (items, cents) = worth.entry(cart.category.as_deref().unwrap_or("(none)")).or_default();
        *items += 1;
        *cents += cart.price.map_or(0, |price| price.cents() * i64::from(cart.quantity));
    }
    let mut worth: Vec<_> = worth.into_iter().collect();
    worth.sort_by_key(|(_, (_, cents))| -cents);
    let rows = worth.iter().take(8).map(|(category, (items, cents))| {
        [
            category.to_string(),
            items.to_string(),
            format!("{}.{:02}", cents / 100, cents % 100),
        ]
    });
    print_table(&["category", "abandoned", "worth"], rows);

    let ids: BTreeSet<_> = abandoned.iter().map(|cart| cart.event_id).collect();
    let expected = by_hand()?;
    println!("\n{} items were left in carts", abandoned.len());
    match ids == expected && abandoned.len() == expected.len() {
        true => Ok(()),
        false => Err(format!("a plain loop over the events finds {}", expected.len()).into()),
    }
}

/// The expected results, from a plain loop: the ids of the cart events without a purchase in time.
fn by_hand() -> Result<BTreeSet<ecom_stream::uuid::Uuid>, Box<dyn Error>> {
    let (mut carts, mut purchases) = (Vec::new(), HashMap::<_, Vec<_>>::new());
    for event in shop()?.build().take(EVENTS as usize) {
        match event.event_type {
            EventType::AddToCart => carts.push(event),
            EventType::Purchase => purchases
                .entry(user_and_product(&event))
                .or_default()
                .push(event.event_time),
            _ => {}
        }
    }
    carts.retain(|cart| {
        let in_time = cart.event_time..=cart.event_time + HALF_AN_HOUR;
        let bought = purchases.get(&user_and_product(cart));
        !bought.is_some_and(|times| times.iter().any(|time| in_time.contains(time)))
    });
    Ok(carts.into_iter().map(|cart| cart.event_id).collect())
}
