//! Revenue per category and minute, from files whose events come up to 30 seconds late, exactly once into PostgreSQL: beside
//! the raw events, in the same transactions. The run is dropped in the middle again and again, and nothing is doubled.
//!
//! ```sql
//! INSERT INTO revenue_per_minute -- WATERMARK FOR event_time AS event_time - INTERVAL '30' SECOND
//! SELECT window_start, category, count(*), sum(price * quantity)
//! FROM TABLE(TUMBLE(TABLE (SELECT DISTINCT … FROM events WHERE event_type = 'purchase'), DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
//! GROUP BY window_start, category
//! ```
//!
//! `cargo run --example revenue_per_minute` needs nothing but PostgreSQL's server programs.

#![allow(clippy::print_stdout, reason = "this is a program")]

mod shop_database;
mod text_table;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use ecom_gen::{Delivery, Pace, Rate, Shop, ShopSource};
use ecom_sink_pg::{Decimal, EpochLimits, Events, PgSink, Table};
use ecom_stream::aggregate::{Count, Sum};
use ecom_stream::operators::Windowed;
use ecom_stream::time::macros::datetime;
use ecom_stream::{
    CsvDirSink, CsvDirSource, Either, Event, EventType, Pipeline, Rules, Sink, Source, SourceExt, Summary,
};
use shop_database::ShopDatabase;
use text_table::print_query;

/// Of a category in a minute: how many purchases, and their cents.
type Minute = Windowed<String, (u64, i128)>;

fn revenue(
    files: &Path,
    sink: PgSink,
) -> Pipeline<impl Source<Item = Either<Event, Minute>> + 'static, impl Sink<Either<Event, Minute>>> {
    CsvDirSource::new(files)
        .available_now(true)
        .validate(Rules::default())
        .with_branch(|events| {
            events
                .filter(|event| event.event_type == EventType::Purchase)
                .event_time(|event: &Event| event.event_time, Duration::from_secs(30))
                .key_by(|event: &Event| event.event_id)
                .deduplicate(Duration::from_mins(1)) // what the shop sends twice
                .key_by(|event: &Event| event.category.clone().unwrap_or_default())
                .tumbling(Duration::from_mins(1))
                .aggregate((Count, Sum::of(cents)))
        })
        .to(sink.into_tables((Events, minutes())))
        .last_run(true)
}

fn cents(event: &Event) -> Option<i64> {
    event.price.map(|price| price.cents() * i64::from(event.quantity))
}

fn minutes() -> Table<Minute> {
    Table::new("revenue_per_minute")
        .create_if_missing(true)
        .column("minute", |minute: &Minute| minute.window.start)
        .column("category", |minute| minute.key.clone())
        .column("purchases", |minute| minute.value.0)
        .column("revenue", |minute| Decimal::new(minute.value.1, 2))
        .key(["minute", "category"])
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let files = tempfile::tempdir()?;
    let shop = Shop::builder(7, datetime!(2026-11-02 18:00 UTC)).rate(Rate::per_second(20.0)?);
    let mut delivery = Delivery::default(); // some events are sent twice
    (delivery.out_of_order, delivery.late, delivery.late_median_seconds) = (0.1, 0.05, 60.0);
    let shop = ShopSource::new(shop.delivery(delivery))
        .pace(Pace::AsFastAsPossible)
        .events(20_000);
    let written = shop.to(CsvDirSink::new(files.path()).max_rows(2_000)).run().await?;

    let database = ShopDatabase::start("revenue_per_minute").await?;
    // Small epochs, so that there are many moments to be dropped at.
    let pipeline = || {
        let sink = database.sink()?.epoch_limits(EpochLimits::default().max_rows(1_000));
        Ok::<_, ecom_stream::Error>(revenue(files.path(), sink))
    };
    let mut dropped = 0;
    while run(pipeline()?, 2 + dropped).await?.is_none() {
        dropped += 1;
    }
    let again = pipeline()?.run().await?;
    println!(
        "Dropped {dropped} times, then run to its end, then once more, which stored {}.\n",
        again.counts.stored
    );

    print_query(&database.client, SHOWN).await?;
    let minutes = database.same_rows("TABLE revenue_per_minute", BY_HAND).await?;
    println!("\n{minutes} minutes of categories, as SQL finds them in ecom.events\n");

    print_query(&database.client, BALANCE).await?;
    let row = database.client.query_one(BALANCE, &[]).await?;
    let [stored, sent_twice]: [i64; 2] = std::array::from_fn(|column| row.get(column));
    match stored + sent_twice == written.counts.stored as i64 && again.counts.stored == 0 {
        true => Ok(()),
        false => Err(format!("the shop wrote {} events", written.counts.stored).into()),
    }
}

/// Runs to the end, or drops everything in the middle of its work after so many commits, as a crash does.
async fn run<S: Source + 'static, K: Sink<S::Item>>(
    pipeline: Pipeline<S, K>,
    commits: u64,
) -> ecom_stream::Result<Option<Summary>> {
    let mut progress = pipeline.subscribe();
    let crash = async {
        for _ in 0..commits {
            progress.next().await;
        }
    };
    tokio::select! {
        summary = pipeline.run() => Ok(Some(summary?)),
        () = crash => Ok(None),
    }
}

const SHOWN: &str = "
    SELECT to_char(minute AT TIME ZONE 'UTC', 'HH24:MI') AS minute, category, purchases, revenue
    FROM revenue_per_minute ORDER BY revenue DESC LIMIT 8";

const BALANCE: &str = "
    SELECT (SELECT count(*) FROM ecom.events) AS events_stored,
           (SELECT sum(duplicates)::int8 FROM ecom.ingest_split) AS sent_twice,
           (SELECT count(*) FROM ecom.dead_letters WHERE reason = 'late') AS purchases_too_late_for_their_minute";

/// Purchases that came more than 30 seconds late, when their minute had closed, are dead letters beside the events.
const BY_HAND: &str = "
    SELECT date_trunc('minute', event_time), coalesce(category, ''), count(*), sum(price * quantity)
    FROM ecom.events e
    WHERE event_type = 'purchase' AND NOT EXISTS (
        SELECT FROM ecom.dead_letters l
        WHERE l.reason = 'late' AND (l.split_id, l.record_no) = (e.split_id, e.record_no))
    GROUP BY 1, 2";
