//! Revenue per category and minute, stored exactly once in PostgreSQL. The events arrive in files, some of them late. The results are
//! committed in the same transactions as the raw events. The run is dropped midway several times, and nothing is counted twice.
//!
//! ```sql
//! INSERT INTO revenue_per_minute -- WATERMARK FOR event_time AS event_time - INTERVAL '30' SECOND
//! SELECT window_start, category, count(*), sum(price * quantity)
//! FROM TABLE(TUMBLE(TABLE (SELECT DISTINCT … FROM events WHERE event_type = 'purchase'), DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
//! GROUP BY window_start, category
//! ```
//!
//! `cargo run --example revenue_per_minute` needs only PostgreSQL's server programs.

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

/// The result for a category and a minute: the number of purchases, and their revenue in cents.
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
                .deduplicate(Duration::from_mins(1)) // removes events that the shop sends twice
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
    // Small epochs, so that there are many commits after which the run can be dropped.
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
        "Dropped {dropped} times, then run to its end. Another run stored {} events.\n",
        again.counts.stored
    );

    print_query(&database.client, SHOWN).await?;
    let minutes = database.same_rows("TABLE revenue_per_minute", BY_HAND).await?;
    println!("\n{minutes} results, equal to those of a SQL query over ecom.events\n");

    print_query(&database.client, BALANCE).await?;
    let row = database.client.query_one(BALANCE, &[]).await?;
    let [stored, sent_twice]: [i64; 2] = std::array::from_fn(|column| row.get(column));
    match stored + sent_twice == written.counts.stored as i64 && again.counts.stored == 0 {
        true => Ok(()),
        false => Err(format!("the shop wrote {} events", written.counts.stored).into()),
    }
}

/// Runs the pipeline to its end, or drops it after this number of commits, as a crash would. Returns the summary if it ended.
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

/// The expected results. Purchases that arrived after their minute was closed are dead letters, although their events are stored.
const BY_HAND: &str = "
    SELECT date_trunc('minute', event_time), coalesce(category, ''), count(*), sum(price * quantity)
    FROM ecom.events e
    WHERE event_type = 'purchase' AND NOT EXISTS (
        SELECT FROM ecom.dead_letters l
        WHERE l.reason = 'late' AND (l.split_id, l.record_no) = (e.split_id, e.record_no))
    GROUP BY 1, 2";
