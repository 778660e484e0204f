//! The partitions of `ecom.events`: how they are made, and that a span of time reads only its own.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests too"
)]

mod fixture;

use std::collections::BTreeSet;

use bytes::Bytes;
use fixture::schema::{ask, database_with_schema};
use fixture::{Database, connect};
use futures::SinkExt;
use tokio_postgres::error::DbError;

/// What the server says to a statement that fails.
async fn denied(db: &Database, sql: &str) -> DbError {
    let Err(err) = db.client.simple_query(sql).await else {
        panic!("{sql} must fail");
    };
    err.as_db_error().unwrap().clone()
}

fn ensure(days: &str) -> String {
    format!("SELECT ecom.ensure_partitions(ARRAY[{days}]::date[])")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_made_while_others_write() {
    let db = database_with_schema().await;
    assert_eq!(db.ask(&ensure("'2026-11-23'")).await, ["1"]);

    // A writer in the middle of its transaction, and a reader in the middle of its own.
    let writer = connect(&db.url).await;
    writer.batch_execute("BEGIN").await.unwrap();
    let copy = "COPY ecom.events
                (event_time, processed_at, event_id, quantity, event_type, user_id, session_id, product_id)
                FROM STDIN";
    let mut sink = Box::pin(writer.copy_in(copy).await.unwrap());
    let row = |n: u32| {
        format!("2026-11-23 10:00:00+00\t2026-11-24 00:00:00+00\t00000000-0000-0000-0000-{n:012}\t1\tview\tu\ts\tp\n")
    };
    // More than the driver keeps back, so that the server is at it.
    let rows: String = (0..200).map(row).collect();
    sink.send(Bytes::from(rows)).await.unwrap();
    let reader = connect(&db.url).await;
    reader.batch_execute("BEGIN").await.unwrap();
    assert_eq!(ask(&reader, "SELECT count(*) FROM ecom.events").await, ["0"]);

    // Several sessions make overlapping days. Nobody waits for writer or reader, and each day is made once.
    let mut makers = Vec::new();
    for n in 0..4 {
        let client = connect(&db.url).await;
        client.batch_execute("SET lock_timeout = '30s'").await.unwrap();
        let days = format!("ARRAY(SELECT '2026-11-2{n}'::date + i FROM generate_series(0, 19) i)");
        let sql = format!("SELECT ecom.ensure_partitions({days})");
        makers.push(tokio::spawn(async move { ask(&client, &sql).await }));
    }
    let mut made = 0;
    for maker in makers {
        made += maker.await.unwrap()[0].parse::<i32>().unwrap();
    }
    assert_eq!(made, 22, "of 20 to 42, all but 23");
    let days = "SELECT relname FROM pg_class
                WHERE relispartition AND relkind = 'r' AND relnamespace = 'ecom'::regnamespace";
    assert_eq!(db.ask(days).await.iter().collect::<BTreeSet<_>>().len(), 23);

    // Another writer uses a new one at once; the one that had begun goes on with what it knew.
    db.execute(
        "INSERT INTO ecom.events
         VALUES ('2026-11-24 10:00:00+00', now(), NULL, NULL, gen_random_uuid(), 1, 'view', 'u', 's', 'p')",
    )
    .await;
    sink.send(Bytes::from(row(999))).await.unwrap();
    assert_eq!(sink.as_mut().finish().await.unwrap(), 201);
    writer.batch_execute("COMMIT").await.unwrap();
    assert_eq!(ask(&reader, "SELECT count(*) FROM ecom.events").await, ["202"]);

    // The indexes of partitions hang together with those of the table.
    let loose = "SELECT i.indexrelid::regclass FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
                 WHERE c.relispartition AND c.relnamespace = 'ecom'::regnamespace
                   AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)";
    assert_eq!(db.ask(loose).await, [""; 0]);
}

#[tokio::test]
async fn partitions_of_days_whatever_the_session_says() {
    let db = database_with_schema().await;
    db.execute("SET timezone = 'Asia/Kathmandu'; SET datestyle = 'SQL, DMY'; SET search_path = public")
        .await;
    let make = ensure("'2026-11-23', '2026-11-23', NULL, '2026-12-31', '0001-01-01', '9999-12-30'");
    assert_eq!(db.ask(&make).await, ["4"]);
    assert_eq!(db.ask(&make).await, ["0"]);
    let none = "SELECT ecom.ensure_partitions('{}'), ecom.ensure_partitions(NULL)";
    assert_eq!(db.ask(none).await, ["0|0"]);
    db.execute("SET timezone = 'UTC'; SET datestyle = 'ISO'").await;
    let bounds = "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_class c
                  WHERE c.relname ~ '^events_y' AND c.relkind = 'r' ORDER BY 1";
    assert_eq!(
        db.ask(bounds).await,
        [
            "events_y00010101|FOR VALUES FROM ('0001-01-01 00:00:00+00') TO ('0001-01-02 00:00:00+00')",
            "events_y20261123|FOR VALUES FROM ('2026-11-23 00:00:00+00') TO ('2026-11-24 00:00:00+00')",
            "events_y20261231|FOR VALUES FROM ('2026-12-31 00:00:00+00') TO ('2027-01-01 00:00:00+00')",
            "events_y99991230|FOR VALUES FROM ('9999-12-30 00:00:00+00') TO ('9999-12-31 00:00:00+00')",
        ]
    );
    for day in ["infinity", "-infinity", "9999-12-31", "0044-03-15 BC"] {
        let err = denied(&db, &ensure(&format!("'{day}'"))).await;
        assert_eq!(err.code().code(), "22023", "{day}");
    }
}

#[tokio::test]
async fn partitions_that_are_there_in_another_form() {
    let db = database_with_schema().await;
    // A month, and all that is older, put together by hand.
    db.execute(
        "CREATE TABLE ecom.events_y202610 PARTITION OF ecom.events
             FOR VALUES FROM ('2026-10-01 00:00:00+00') TO ('2026-11-01 00:00:00+00');
         CREATE TABLE ecom.events_old PARTITION OF ecom.events
             FOR VALUES FROM (MINVALUE) TO ('2026-01-01 00:00:00+00');
         SELECT ecom.ensure_partitions(ARRAY['2026-11-01']::date[])",
    )
    .await;
    let days = "'1999-01-01', '2025-12-31', '2026-10-01', '2026-10-31', '2026-11-01', '2026-11-02'";
    assert_eq!(db.ask(&ensure(days)).await, ["1"]);

    for detach in ["events_y20261101", "events_y20261102 CONCURRENTLY"] {
        db.execute(&format!("ALTER TABLE ecom.events DETACH PARTITION ecom.{detach}"))
            .await;
    }
    let first = ensure("'2026-11-01'");
    let err = denied(&db, &first).await;
    assert_eq!(err.code().code(), "42P07");
    let expected = "ecom.events_y20261101 exists, but it is not the partition of ecom.events for 2026-11-01";
    assert_eq!(err.message(), expected);
    // The hint is right.
    let (attach, _) = err.hint().unwrap().split_once(", or rename").unwrap();
    db.execute(attach.strip_prefix("Attach it with ").unwrap()).await;
    assert_eq!(db.ask(&first).await, ["0"]);

    // A partition that is half detached takes no rows, so it doesn't count.
    db.execute("BEGIN").await;
    db.execute("UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'ecom.events_y20261101'::regclass")
        .await;
    assert_eq!(denied(&db, &first).await.code().code(), "42P07");
    db.execute("ROLLBACK").await;

    // Something of the name that has nothing to do with it, and an overlap.
    db.execute("CREATE VIEW ecom.events_y20261205 AS SELECT 1 AS one").await;
    assert_eq!(denied(&db, &ensure("'2026-12-05'")).await.code().code(), "42P07");
    db.execute(
        "CREATE TABLE ecom.noon PARTITION OF ecom.events
             FOR VALUES FROM ('2026-12-06 12:00:00+00') TO ('2026-12-07 00:00:00+00')",
    )
    .await;
    let err = denied(&db, &ensure("'2026-12-06'")).await;
    assert!(err.message().contains("would overlap partition \"noon\""), "{err:?}");
}

#[tokio::test]
async fn a_span_of_time_reads_only_its_partitions() {
    let db = database_with_schema().await;
    let days = "ARRAY(SELECT '2026-11-20'::date + i FROM generate_series(0, 9) i)";
    assert_eq!(db.ask(&format!("SELECT ecom.ensure_partitions({days})")).await, ["10"]);
    for name in [
        "events_per_minute",
        "conversion_funnel",
        "top_products",
        "events_by_type",
    ] {
        let plan = async |of: &str| {
            db.ask(&format!("EXPLAIN SELECT * FROM ecom.{name}{of}"))
                .await
                .join("\n")
        };
        let one = plan("('2026-11-23 10:00:00+00', '2026-11-24 00:00:00+00')").await;
        assert!(one.contains("events_y20261123"), "{one}");
        assert_eq!(one.matches(" on events_y").count(), 1, "{one}");
        let none = plan("(now() + interval '100 years')").await;
        assert!(none.contains("Subplans Removed: 10"), "{none}");
        let all = plan("").await;
        assert_eq!(all.matches(" on events_y").count(), 10, "{all}");
    }
    // The small index serves what looks at purchases only.
    db.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        .await;
    let plan = db.ask(
        "EXPLAIN SELECT sum(price * quantity) FROM ecom.events
         WHERE event_type = 'purchase'
           AND event_time >= '2026-11-23 10:00:00+00' AND event_time < '2026-11-24 00:00:00+00'",
    );
    let plan = plan.await.join("\n");
    assert!(
        plan.contains("Index Scan using events_y20261123_event_time_idx"),
        "{plan}"
    );
}
