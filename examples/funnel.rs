//! A funnel: how many visits with a view led to a cart, and how many of these to a purchase. A visit is a session window: the events of
//! a user without a pause of half an hour. Each visit is stored as a row.
//!
//! ```sql
//! INSERT INTO visits
//! SELECT user_id, window_start, count(*) FILTER (WHERE event_type = 'view') AS views, …
//! FROM TABLE(SESSION(TABLE events PARTITION BY user_id, DESCRIPTOR(event_time), INTERVAL '30' MINUTE))
//! GROUP BY user_id, window_start, window_end
//! ```
//!
//! `cargo run --example funnel` needs only PostgreSQL's server programs.

#![allow(clippy::print_stdout, reason = "this is a program")]

mod shop_database;
mod text_table;

use std::error::Error;
use std::time::Duration;

use ecom_gen::{Delivery, Pace, Rate, Shop, ShopSource};
use ecom_sink_pg::{Events, Table};
use ecom_stream::aggregate::Sum;
use ecom_stream::operators::Windowed;
use ecom_stream::time::macros::datetime;
use ecom_stream::{Event, EventType, SourceExt};
use shop_database::ShopDatabase;
use text_table::print_query;

/// The result for a user and a session window: the numbers of views, carts and purchases.
type Visit = Windowed<String, (i128, i128, i128)>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = ShopDatabase::start("funnel").await?;
    let shop = Shop::builder(7, datetime!(2026-11-02 12:00 UTC)).rate(Rate::per_second(1.0)?);
    let shop = ShopSource::new(shop.delivery(Delivery::exact()));
    let visits = Table::new("visits")
        .create_if_missing(true)
        .column("user_id", |visit: &Visit| visit.key.clone())
        .column("began", |visit| visit.window.start)
        .column("views", |visit| visit.value.0)
        .column("carts", |visit| visit.value.1)
        .column("purchases", |visit| visit.value.2);

    let number_of = |step| Sum::of(move |event: &Event| u8::from(event.event_type == step));
    let summary = shop
        .pace(Pace::AsFastAsPossible)
        .events(20_000)
        .with_branch(|events| {
            events
                .event_time(|event: &Event| event.event_time, Duration::from_secs(30))
                .key_by(|event: &Event| event.user_id.clone())
                .session(Duration::from_mins(30))
                .aggregate((
                    number_of(EventType::View),
                    number_of(EventType::AddToCart),
                    number_of(EventType::Purchase),
                ))
        })
        .to(database.sink()?.into_tables((Events, visits)))
        .last_run(true)
        .run()
        .await?;

    println!("{} events\n", summary.counts.read);
    print_query(&database.client, FUNNEL).await?;
    let visits = database.same_rows("TABLE visits", BY_HAND).await?;
    println!("\n{visits} visits, equal to those of a SQL query over ecom.events");
    Ok(())
}

const FUNNEL: &str = "
    WITH reached AS (
        SELECT count(*) FILTER (WHERE views > 0) AS viewed,
               count(*) FILTER (WHERE views > 0 AND carts > 0) AS filled,
               count(*) FILTER (WHERE views > 0 AND carts > 0 AND purchases > 0) AS bought
        FROM visits)
    SELECT step, visits, round(100.0 * visits / viewed, 1) || ' %' AS share
    FROM reached, LATERAL (VALUES (1, 'view', viewed), (2, 'cart', filled), (3, 'purchase', bought)) AS s (n, step, visits)
    ORDER BY n";

const BY_HAND: &str = "
    WITH paused AS (
        SELECT *, event_time - lag(event_time) OVER of_user >= interval '30 minutes' AS paused
        FROM ecom.events WINDOW of_user AS (PARTITION BY user_id ORDER BY event_time)),
    numbered AS (
        SELECT *, count(*) FILTER (WHERE paused) OVER (PARTITION BY user_id ORDER BY event_time) AS visit FROM paused)
    SELECT user_id, min(event_time), count(*) FILTER (WHERE event_type = 'view')::numeric,
           count(*) FILTER (WHERE event_type = 'add_to_cart')::numeric,
           count(*) FILTER (WHERE event_type = 'purchase')::numeric
    FROM numbered GROUP BY user_id, visit";
