//! Stateful operators with PostgreSQL, beside the raw events: windows that are open when the pipeline crashes count each event exactly
//! once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use ecom_gen::{Delivery, Pace, Rate, Shop, ShopSource};
use ecom_sink_pg::server::PrivateServer;
use ecom_sink_pg::{EpochLimits, Events, PgSink, Table};
use ecom_stream::aggregate::{Count, Sum};
use ecom_stream::operators::Windowed;
use ecom_stream::{Event, Price, SourceExt, Summary};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio_postgres::NoTls;

const EVENTS: u64 = 60_000;

fn shop() -> ecom_gen::ShopBuilder {
    Shop::builder(7, datetime!(2026-11-01 12:00 UTC))
        .rate(Rate::per_second(50.0).unwrap())
        .delivery(Delivery::exact())
}

fn cents(event: &Event) -> i64 {
    event.price.map_or(0, Price::cents)
}

type Minute = Windowed<String, (u64, i128)>;

fn minutes() -> Table<Minute> {
    Table::new("minutes")
        .create_if_missing(true)
        .column("minute", |minute: &Minute| minute.window.start)
        .column("category", |minute| minute.key.clone())
        .column("events", |minute| minute.value.0)
        .column("cents", |minute| minute.value.1)
        .key(["minute", "category"])
}

/// Runs the pipeline, and drops it after this number of commits, as a crash would. Returns the summary if it ended before.
async fn run(url: &str, commits: u64) -> Option<Summary> {
    // Small epochs, so that there are many commits after which the run can be dropped.
    let limits = EpochLimits::default().max_rows(1_000);
    let sink = PgSink::from_url(url).unwrap().epoch_limits(limits);
    let pipeline = ShopSource::new(shop())
        .pace(Pace::AsFastAsPossible)
        .events(EVENTS)
        .with_branch(|events| {
            events
                .event_time(|event: &Event| event.event_time, Duration::from_secs(5))
                .key_by(|event: &Event| event.category.clone().unwrap_or_default() + "-")
                .tumbling(Duration::from_mins(1))
                .aggregate((Count, Sum::of(cents)))
        })
        .to(sink.into_tables((Events, minutes())))
        .last_run(true);
    let mut progress = pipeline.subscribe();
    let crash = async {
        for _ in 0..commits {
            progress.next().await;
        }
    };
    tokio::select! {
        summary = pipeline.run() => Some(summary.unwrap()),
        () = crash => None,
    }
}

type Minutes = BTreeMap<(OffsetDateTime, String), (i64, i64)>;

#[tokio::test(flavor = "multi_thread")]
async fn windows_count_each_event_once_through_crashes() {
    let server = PrivateServer::builder().temporary().setting("fsync", "off").start();
    let server = server.await.expect("the tests need PostgreSQL's server programs");
    let mut crashes = 0;
    while run(server.url(), 1 + crashes % 3).await.is_none() {
        crashes += 1;
    }
    assert!(crashes > 2, "{crashes} crashes");

    let mut expected = Minutes::new();
    for event in shop().build().take(EVENTS as usize) {
        let minute = event.event_time.unix_timestamp().div_euclid(60) * 60;
        let minute = OffsetDateTime::from_unix_timestamp(minute).unwrap();
        let category = event.category.clone().unwrap_or_default() + "-";
        let (count, sum) = expected.entry((minute, category)).or_default();
        *count += 1;
        *sum += cents(&event);
    }
    let (client, connection) = tokio_postgres::connect(server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = "SELECT count(*), count(DISTINCT event_id) FROM ecom.events";
    let events = client.query_one(sql, &[]).await.unwrap();
    assert_eq!((events.get(0), events.get(1)), (EVENTS as i64, EVENTS as i64));
    let sql = "SELECT minute, category, events, cents::int8 FROM minutes";
    let rows = client.query(sql, &[]).await.unwrap();
    let stored: Minutes = rows
        .iter()
        .map(|row| ((row.get(0), row.get(1)), (row.get(2), row.get(3))))
        .collect();
    assert_eq!(rows.len(), stored.len());
    assert_eq!(stored, expected);

    let sql = "SELECT operator, count(*) FROM ecom.operator_state GROUP BY operator";
    let state: Vec<(String, i64)> = client
        .query(sql, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    // All windows are closed, so only the watermark is left.
    assert!(state.iter().all(|(operator, _)| operator == "event_time"), "{state:?}");
}
