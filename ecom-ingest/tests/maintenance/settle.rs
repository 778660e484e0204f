//! `ecom-ingest settle`: the indexes of partitions that no longer receive rows.

use std::os::unix::process::ExitStatusExt;

use crate::fixture::program::{Ingest, program};
use crate::fixture::{Database, connect, database, drop_in, eventually};
use crate::{HOUR, database_with_days, ingest, maintenance};

async fn states(db: &Database) -> Vec<String> {
    db.ask(
        "SELECT to_char(starts AT TIME ZONE 'UTC', 'MM-DD'), string_agg(state, ' ' ORDER BY index)
         FROM ecom.partition_indexes WHERE ends < now() GROUP BY 1 ORDER BY 1",
    )
    .await
}

const ALL_SETTLED: [&str; 3] = [
    "10-01|valid valid valid",
    "10-02|valid valid valid",
    "10-03|valid valid valid",
];

#[tokio::test]
async fn old_partitions_are_settled_and_late_rows_are_still_stored() {
    let db = database_with_days().await;
    let settled = maintenance(&db).settle(HOUR).await.unwrap();
    assert_eq!(settled.built.len(), 9, "{settled:?}");
    assert_eq!(settled.built[0], "events_y20261003_category", "the newest first");
    assert_eq!((settled.failed.len(), settled.is_busy), (0, false));
    assert_eq!(states(&db).await, ALL_SETTLED);
    let hot = "SELECT count(*) FROM ecom.partitions WHERE NOT is_settled";
    assert_eq!(db.number(hot).await, 1, "now is not at rest");

    // Late rows, and the questions that the indexes are for.
    db.execute(
        "INSERT INTO ecom.events
         VALUES ('2026-10-02 13:00+00', now(), 1, 1, gen_random_uuid(), 1, 'view', 'user-7', 's', 'sku-7', NULL, 'home.bed.soft')",
    )
    .await;
    db.execute("ANALYZE ecom.events; SET enable_seqscan = off").await;
    let span = "'2026-10-02', '2026-10-03'";
    for (of, index, rows) in [
        ("user_timeline('user-7'", "events_y20261002_user", 21),
        ("product_timeline('sku-7'", "events_y20261002_product", 51),
        ("products_of_category('home.bed'", "events_y20261002_category", 1),
    ] {
        let plan = db
            .ask(&format!("EXPLAIN SELECT * FROM ecom.{of}, {span})"))
            .await
            .join("\n");
        assert!(plan.contains(index), "{plan}");
        assert_eq!(
            db.number(&format!("SELECT count(*) FROM ecom.{of}, {span})")).await,
            rows,
            "{of}"
        );
    }

    // Nothing is left to do, and partitions to come don't get them.
    assert_eq!(maintenance(&db).settle(HOUR).await.unwrap().built, [""; 0]);
    db.execute("SELECT ecom.ensure_partitions(ARRAY['2026-10-04']::date[])")
        .await;
    let new = "SELECT DISTINCT state FROM ecom.partition_indexes WHERE partition = 'events_y20261004'";
    assert_eq!(db.ask(new).await, ["missing"]);
    let log = ingest(&db, &["settle", "--rested", "1h"]);
    assert!(log.contains("built events_y20261004_category"), "{log}");
    let log = ingest(&db, &["settle"]);
    assert!(log.contains("nothing to do"), "{log}");
}

#[tokio::test]
async fn an_index_left_by_an_interrupted_build_is_built_again() {
    let db = database_with_days().await;
    for point in ["maintenance.build:1", "maintenance.build:5"] {
        let settle = Ingest::spawn(
            program()
                .arg("settle")
                .env("DATABASE_URL", &db.url)
                .env("ECOM_CRASH_AT", point),
        );
        let (status, log) = settle.end().await;
        assert!(status.signal().is_some(), "{status}: {log}");
    }
    // As if the server had been stopped in the middle of it.
    db.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ecom.events_y20261003_user'::regclass")
        .await;
    assert_eq!(states(&db).await[2], "10-03|valid valid invalid");
    // The session of the one that was killed may not have ended yet.
    eventually("the lock", async || {
        !maintenance(&db).settle(HOUR).await.unwrap().is_busy
    })
    .await;
    assert_eq!(states(&db).await, ALL_SETTLED);
}

#[tokio::test]
async fn settling_does_not_block_the_ingest() {
    let db = database_with_days().await;
    let insert = "INSERT INTO ecom.events
                  VALUES ('2026-10-03 13:00+00', now(), 1, 1, gen_random_uuid(), 1, 'view', 'u', 's', 'p')";
    let (slow, quick) = (connect(&db.url).await, connect(&db.url).await);
    quick.batch_execute("SET lock_timeout = '2s'").await.unwrap();
    slow.batch_execute(&format!("BEGIN; {insert}")).await.unwrap();
    let settling = {
        let maintenance = maintenance(&db);
        tokio::spawn(async move { maintenance.settle(HOUR).await })
    };
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND query ~ '^CREATE INDEX CONCURRENTLY' AND wait_event_type = 'Lock'";
    eventually("the build to wait", async || db.number(waits).await == 1).await;
    // Whoever writes goes on, partitions are made, and another settler does not wait for its turn.
    quick.batch_execute(insert).await.unwrap();
    quick
        .batch_execute("SELECT ecom.ensure_partitions(ARRAY['2026-10-05']::date[])")
        .await
        .unwrap();
    let other = maintenance(&db).settle(HOUR).await.unwrap();
    assert!(other.is_busy && other.built.is_empty(), "{other:?}");
    assert_eq!(states(&db).await[2], "10-03|building missing missing");
    slow.batch_execute("COMMIT").await.unwrap();
    let settled = settling.await.unwrap().unwrap();
    assert_eq!((settled.built.len(), settled.failed.len()), (9, 0));
}

#[tokio::test]
async fn a_partition_that_cannot_be_settled_is_skipped() {
    let db = database_with_days().await;
    // Something else has the name of an index.
    db.execute("CREATE TABLE ecom.events_y20261003_user ()").await;
    let settled = maintenance(&db).settle(HOUR).await.unwrap();
    assert_eq!(
        (settled.built.len(), settled.failed.as_slice()),
        (8, ["events_y20261003_user".to_owned()].as_slice())
    );
    let settle = Ingest::spawn(program().arg("settle").env("DATABASE_URL", &db.url));
    let log = settle.succeed().await;
    assert!(log.contains("could not build events_y20261003_user"), "{log}");
    db.execute("DROP TABLE ecom.events_y20261003_user").await;
    assert_eq!(maintenance(&db).settle(HOUR).await.unwrap().built.len(), 1);
}

#[tokio::test]
async fn partitions_are_settled_while_files_are_loaded() {
    let db = database().await;
    let input = tempfile::tempdir().unwrap();
    drop_in(input.path(), "a.csv", 0..500);
    let mut running = Ingest::start(&db, &input, &["--settle-partitions", "1s"]);
    let settled = "SELECT count(*) FILTER (WHERE is_settled) FROM ecom.partitions";
    eventually("the schema", async || db.client.query_one(settled, &[]).await.is_ok()).await;
    eventually("five settled days", async || db.number(settled).await == 5).await;
    // Late rows go on coming in.
    drop_in(input.path(), "b.csv", 500..1_000);
    eventually("the late rows", async || db.rows().await == 1_000).await;
    assert!(!running.has_ended());
    running.signal(rustix::process::Signal::TERM);
    let log = running.succeed().await;
    assert!(log.contains("built the indexes"), "{log}");
    db.check_balance().await;
}
