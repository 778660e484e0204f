//! From the shop to the table: the table has each generated event once, with every field unchanged.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use ecom_gen::{Delivery, Pace, Rate, Shop, ShopSource};
use ecom_sink_pg::PgSink;
use ecom_sink_pg::server::PrivateServer;
use ecom_stream::{CsvDirSink, CsvDirSource, Event, Price, Rules, SourceExt};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio_postgres::NoTls;

const EVENTS: u64 = 30_000;

#[tokio::test(flavor = "multi_thread")]
async fn the_table_has_each_generated_event_once_and_unchanged() {
    let server = PrivateServer::builder().temporary().setting("fsync", "off").start();
    let server = server.await.expect("the tests need PostgreSQL's server programs");
    let data = tempfile::tempdir().unwrap();
    let shop = || {
        Shop::builder(7, datetime!(2026-10-30 23:59 UTC))
            .rate(Rate::per_second(200.0).unwrap())
            .delivery(Delivery::exact())
    };

    let generator = ShopSource::new(shop())
        .pace(Pace::AsFastAsPossible)
        .events(EVENTS)
        .to(CsvDirSink::new(data.path()).max_rows(1_700));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let ingest = CsvDirSource::new(data.path())
        .validate(Rules::default())
        .stamp()
        .to(PgSink::from_url(server.url()).unwrap());
    let ingest = tokio::spawn(ingest.run_until(async {
        let _ = stopped.await;
    }));
    let generated = generator.run().await.unwrap();
    assert_eq!(generated.counts.stored, EVENTS);

    let (client, connection) = tokio_postgres::connect(server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let mut stored = 0;
    for _ in 0..2_400 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let count = client.query_one("SELECT count(*) FROM ecom.events", &[]).await;
        stored = count.map_or(0, |row| row.get::<_, i64>(0));
        if stored >= EVENTS as i64 {
            break;
        }
    }
    assert_eq!(stored, EVENTS as i64);
    stop.send(()).unwrap();
    let summary = ingest.await.unwrap().unwrap();
    assert!(summary.counts.is_balanced());
    assert_eq!(summary.counts.stored, EVENTS);

    let sql = "SELECT e.*, (e.price * 100)::int8 AS cents, s.path FROM ecom.events e \
               JOIN ecom.ingest_split s USING (split_id) ORDER BY s.path, e.record_no";
    let rows = client.query(sql, &[]).await.unwrap();
    for (row, event) in rows.iter().zip(shop().build()) {
        let mut back = Event::new(
            row.get("event_id"),
            row.get("event_time"),
            ecom_stream::EventType::from_name(row.get("event_type")).unwrap(),
            row.get::<_, String>("user_id"),
            row.get::<_, String>("session_id"),
            row.get::<_, String>("product_id"),
        );
        back.product_name = row.get("product_name");
        back.category = row.get("category");
        back.brand = row.get("brand");
        back.price = row.get::<_, Option<i64>>("cents").and_then(Price::from_cents);
        back.quantity = row.get("quantity");
        assert_eq!(back, event);
        let processed_at: OffsetDateTime = row.get("processed_at");
        assert!(processed_at > event.event_time);
    }
    let unbalanced = "SELECT count(*) FROM ecom.ingest_status WHERE NOT balance_ok OR state <> 'finished'";
    assert_eq!(client.query_one(unbalanced, &[]).await.unwrap().get::<_, i64>(0), 0);
}
