//! The sink keeps the contract, against a real server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::any::Any;

use ecom_sink_pg::{EpochLimits, PgSink, Table};
use ecom_stream::memory::MemorySource;
use ecom_stream::testing::{self, Store};
use ecom_stream::{Event, EventType, SourceExt};
use fixture::{Database, connect, database};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

const NOON: OffsetDateTime = datetime!(2026-11-01 12:00 UTC);

fn event(n: u128) -> Event {
    let mut event = Event::new(
        Uuid::from_u128(n),
        NOON,
        EventType::View,
        "user",
        "session",
        n.to_string(),
    );
    event.processed_at = Some(NOON);
    event
}

struct Pg(Database);

impl Store for Pg {
    type Item = Event;
    type Sink = PgSink;

    fn sink(&self) -> PgSink {
        let limits = EpochLimits::default().max_rows(10);
        PgSink::from_url(&self.0.url).unwrap().epoch_limits(limits)
    }

    async fn contents(&self) -> Vec<Event> {
        let rows = self.0.client.query("SELECT * FROM ecom.events", &[]).await.unwrap();
        let event = |row: &tokio_postgres::Row| {
            let kind = EventType::from_name(row.get("event_type")).unwrap();
            let (user, session): (String, String) = (row.get("user_id"), row.get("session_id"));
            let product: String = row.get("product_id");
            let mut event = Event::new(row.get("event_id"), row.get("event_time"), kind, user, session, product);
            event.processed_at = row.get("processed_at");
            event
        };
        rows.iter().map(event).collect()
    }

    async fn rejects(&self) -> Option<u64> {
        let letters = self.0.number("SELECT count(*) FROM ecom.dead_letters").await;
        Some(letters as u64)
    }

    async fn stall(&self) -> Option<Box<dyn Any>> {
        let client = connect(&self.0.url).await;
        let lock = "SET lock_timeout = '30s'; BEGIN; LOCK TABLE ecom.events IN ACCESS EXCLUSIVE MODE";
        client.batch_execute(lock).await.unwrap();
        Some(Box::new(client))
    }
}

/// Into a table of the user's own, whose rows have a key or not.
struct PgTable {
    database: Database,
    has_key: bool,
}

type Row = (i64, String);

impl Store for PgTable {
    type Item = Row;
    type Sink = PgSink<Table<Row>>;

    fn sink(&self) -> Self::Sink {
        let table = Table::new("numbers")
            .create_if_missing(true)
            .column("number", |row: &Row| row.0)
            .column("text", |row| row.1.clone());
        let table = match self.has_key {
            true => table.key(["number"]),
            false => table,
        };
        let limits = EpochLimits::default().max_rows(10);
        let sink = PgSink::from_url(&self.database.url).unwrap().epoch_limits(limits);
        sink.into_tables(table)
    }

    async fn contents(&self) -> Vec<Row> {
        let made = "SELECT to_regclass('public.numbers') IS NOT NULL";
        if !self.database.row(made).await.get::<_, bool>(0) {
            return Vec::new();
        }
        let rows = self
            .database
            .client
            .query("SELECT number, text FROM numbers", &[])
            .await;
        rows.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    async fn rejects(&self) -> Option<u64> {
        let letters = self.database.number("SELECT count(*) FROM ecom.dead_letters").await;
        Some(letters as u64)
    }

    async fn stall(&self) -> Option<Box<dyn Any>> {
        let client = connect(&self.database.url).await;
        let lock = "SET lock_timeout = '30s'; BEGIN; LOCK TABLE numbers IN ACCESS EXCLUSIVE MODE";
        client.batch_execute(lock).await.unwrap();
        Some(Box::new(client))
    }
}

#[tokio::test]
async fn the_sink_into_a_table_of_the_users_own() {
    for has_key in [false, true] {
        let store = async || PgTable {
            database: database().await,
            has_key,
        };
        let rows = (0..40).map(|n| (n, format!("text {n}")));
        // By its key a row that comes again takes the place of the first: it is not counted as a duplicate.
        let check = testing::sink(store, rows).max_rows_in_flight(500).crashes(3);
        check.check().await;
    }
}

#[tokio::test]
async fn the_sink() {
    let store = async || Pg(database().await);
    testing::sink(store, (0..40).map(event))
        .has_identity()
        .max_rows_in_flight(500)
        .crashes(10)
        .check()
        .await;
}

#[tokio::test]
async fn a_pipeline_into_it() {
    let events = || MemorySource::new("events", (0..60).map(event).collect()).max_batch_rows(3);
    let store = async || Pg(database().await);
    testing::pipeline(|| events().filter(|event| event.event_id.as_u128() % 3 > 0), store)
        .rounds(4)
        .check()
        .await;
}
