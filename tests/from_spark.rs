//! The example of `docs/from-spark.md` does what the page says, and the page shows its code.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the test does not call its main")]
#[path = "../examples/from_spark.rs"]
mod job;

use std::fs;

use ecom_sink_pg::server::PrivateServer;
use ecom_stream::memory::MemorySink;
use ecom_stream::{CsvDirSource, Rules, SourceExt};
use tokio_postgres::NoTls;

const FILE: &str = "\
event_id,event_time,event_type,user_id,session_id,product_id,category,price
1,2026-11-02T09:00:00Z,purchase,ann,s1,lamp,home,19.90
1,2026-11-02T09:00:00Z,purchase,ann,s1,lamp,home,19.90
2,2026-11-02T09:01:00Z,remove_from_cart,ann,s1,lamp,home,
3,2026-11-02T09:02:00Z,purchase,ann,s1,lamp,home,-1
4,2026-11-02T09:03:00Z,purchase,bob,s2,rug,home,50.00
";

#[tokio::test(flavor = "multi_thread")]
async fn the_job_loads_rejects_filters_and_aggregates() {
    let server = PrivateServer::builder().temporary().setting("fsync", "off").start();
    let server = server.await.expect("the tests need PostgreSQL's server programs");
    let home = tempfile::tempdir().unwrap();
    let (data, done) = (home.path().join("data"), home.path().join("done"));
    fs::create_dir(&data).unwrap();
    fs::write(data.join("a.csv"), FILE).unwrap();

    let counts = job::ingest(&data, &done, server.url()).await.unwrap().counts;
    let balance = (
        counts.read,
        counts.stored,
        counts.duplicates,
        counts.rejected,
        counts.filtered,
    );
    assert_eq!(balance, (5, 2, 1, 1, 1));
    let (client, connection) = tokio_postgres::connect(server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = "SELECT (SELECT count(*) FROM ecom.events WHERE processed_at IS NOT NULL), reason FROM ecom.dead_letters";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), (2_i64, "price_negative"));

    assert!(done.join("a.csv").exists());
    let events = CsvDirSource::new(&done).available_now(true).validate(Rules::default());
    let sink = MemorySink::new("revenue");
    job::revenue(events)
        .to(sink.clone())
        .last_run(true)
        .run()
        .await
        .unwrap();
    let results: Vec<_> = sink
        .values()
        .into_iter()
        .map(|result| (result.key, result.value))
        .collect();
    assert_eq!(results, [(Some("home".to_owned()), (2, 6_990))]);
}

#[test]
fn the_page_shows_the_code_of_the_example() {
    let (page, example) = (
        include_str!("../docs/from-spark.md"),
        include_str!("../examples/from_spark.rs"),
    );
    let blocks: Vec<&str> = page
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        assert!(example.contains(block), "not in the example:\n{block}");
    }
}
