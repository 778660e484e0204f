//! `ecom-ingest retain`: old partitions are dropped.

use std::os::unix::process::ExitStatusExt;

use ecom_sink_pg::Retention;

use crate::fixture::program::{Ingest, once, program};
use crate::fixture::schema::database_with_schema;
use crate::fixture::{connect, database, drop_in, eventually};
use crate::{database_with_days, ingest, maintenance};

#[tokio::test]
async fn partitions_older_than_the_cutoff_are_dropped() {
    let db = database_with_days().await;
    // A month that began long ago and goes on.
    db.execute(
        "UPDATE ecom.settings SET partition_width = 'month';
         SELECT ecom.ensure_partitions(ARRAY['2026-06-01', '2026-08-31']::date[]);
         INSERT INTO ecom.events
         VALUES ('2026-08-01 12:00+00', now(), NULL, NULL, gen_random_uuid(), 1, 'view', 'u', 's', 'p');
         INSERT INTO ecom.dead_letters (epoch, pipeline, reason, detail, rejected_at)
         SELECT 1, 'p', 'late', '', now() - make_interval(days => n) FROM generate_series(0, 999) n;
         INSERT INTO ecom.ingest_split (split_id, pipeline, source, path, state, finished_at)
         VALUES (1, 'p', 's', 'a.csv', 'finished', '2020-01-01')",
    )
    .await;
    let days = db.number("SELECT (now()::date - '2026-10-02'::date)::int8").await;
    let keep = u16::try_from(days).unwrap();
    let left = async || db.ask("SELECT partition FROM ecom.partitions ORDER BY starts").await;
    let all = left().await;
    assert_eq!(all.len(), 6);

    let retention = Retention::days(keep);
    let would = maintenance(&db).retain(retention.dry_run(true)).await.unwrap();
    // October 2nd ends after the moment so many days ago.
    assert_eq!(
        would.partitions,
        ["events_y202606", "events_y202608", "events_y20261001"]
    );
    assert_eq!(would.dead_letters, 1_000 - u64::from(keep));
    assert_eq!((left().await, db.rows().await), (all, 4_001));

    let log = ingest(&db, &["retain", "--days", &keep.to_string(), "--dry-run"]);
    assert!(
        log.starts_with("older than 20") && log.contains(" UTC: would drop the partitions events_y202606"),
        "{log}"
    );
    let gone = maintenance(&db).retain(retention).await.unwrap();
    assert_eq!(
        (&gone.partitions, gone.dead_letters),
        (&would.partitions, would.dead_letters)
    );
    let kept = left().await;
    assert_eq!(kept[..2], ["events_y20261002", "events_y20261003"]);
    assert_eq!((kept.len(), db.rows().await), (3, 3_000));
    assert_eq!(
        db.number("SELECT count(*) FROM ecom.dead_letters").await,
        i64::from(keep)
    );
    assert_eq!(db.number("SELECT count(*) FROM ecom.ingest_split").await, 1);
    let tables = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ '^events_y'";
    assert_eq!(db.number(tables).await, 3, "nothing is left detached");
    let log = ingest(&db, &["retain", "--days", &keep.to_string()]);
    assert!(log.contains("dropped no partitions, and 0 dead letters"), "{log}");
}

#[tokio::test]
async fn of_a_year_the_events_that_are_too_old_are_deleted() {
    let db = database_with_schema().await;
    db.execute(
        "SET timezone = 'UTC';
         CREATE TABLE ecom.events_wide PARTITION OF ecom.events FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
         INSERT INTO ecom.events (event_time, processed_at, event_id, quantity, event_type, user_id, session_id, product_id)
         SELECT now() - make_interval(days => n, hours => 1), now(), gen_random_uuid(), 1, 'view', 'u', 's', 'p'
         FROM generate_series(0, 364) n",
    )
    .await;
    let log = ingest(&db, &["retain", "--days", "90", "--dry-run"]);
    assert!(
        log.contains("would drop no partitions, 275 events of wider partitions, and 0 dead letters"),
        "{log}"
    );
    assert_eq!(db.rows().await, 365);
    assert_eq!(maintenance(&db).retain(Retention::days(90)).await.unwrap().events, 275);
    assert_eq!(db.rows().await, 90);
    assert_eq!(maintenance(&db).retain(Retention::days(90)).await.unwrap().events, 0);
}

#[tokio::test]
async fn a_monthly_partition_with_younger_days_is_kept() {
    let db = database_with_schema().await;
    db.execute(
        "SET timezone = 'UTC';
         UPDATE ecom.settings SET partition_width = 'month';
         SELECT ecom.ensure_partitions(ARRAY[now() - interval '31 days', now()]::date[])",
    )
    .await;
    let gone = maintenance(&db).retain(Retention::days(0)).await.unwrap();
    assert!(gone.partitions.len() <= 1, "{gone:?}");
    let now = "SELECT count(*) FROM ecom.partitions WHERE starts <= now() AND ends > now()";
    assert_eq!(db.number(now).await, 1);
}

#[tokio::test]
async fn dropped_events_are_not_loaded_again_from_their_files() {
    let db = database().await;
    let input = tempfile::tempdir().unwrap();
    drop_in(input.path(), "a.csv", 0..100);
    once(&db, &input).await;
    assert_eq!(db.rows().await, 100);
    let gone = maintenance(&db).retain(Retention::days(1)).await.unwrap();
    assert_eq!(gone.partitions.len(), 5, "{gone:?}");
    let log = once(&db, &input).await;
    assert!(log.contains("0 records read"), "{log}");
    assert_eq!(db.rows().await, 0);
    // A late file makes its partitions anew.
    drop_in(input.path(), "b.csv", 100..110);
    once(&db, &input).await;
    assert_eq!(db.rows().await, 10);
}

#[tokio::test]
async fn an_interrupted_drop_is_finished_by_the_next_call() {
    let db = database_with_days().await;
    // One that somebody detached in order to keep it.
    db.execute("ALTER TABLE ecom.events DETACH PARTITION ecom.events_y20261001")
        .await;
    // PostgreSQL 13 drops a partition in one statement, later versions in three.
    let detaches_first = db.major().await >= 14;
    let points = match detaches_first {
        true => &["maintenance.drop:1", "maintenance.drop:2", "maintenance.drop:3"][..],
        false => &["maintenance.drop:1"],
    };
    for point in points {
        let retain = Ingest::spawn(
            program()
                .args(["retain", "--days", "1"])
                .env("DATABASE_URL", &db.url)
                .env("ECOM_CRASH_AT", point),
        );
        let (status, log) = retain.end().await;
        assert!(status.signal().is_some(), "{point}: {status}: {log}");
    }
    // And one in the middle of detaching.
    if detaches_first {
        db.execute(
            "SELECT ecom.ensure_partitions(ARRAY['2026-10-02']::date[]);
             COMMENT ON TABLE ecom.events_y20261002 IS 'On its way out: ecom-ingest retain drops it.';
             UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'ecom.events_y20261002'::regclass",
        )
        .await;
    }
    eventually("the lock", async || {
        !maintenance(&db).retain(Retention::days(1)).await.unwrap().is_busy
    })
    .await;
    let tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^events_y2026100'";
    assert_eq!(db.ask(tables).await, ["events_y20261001"]);
    assert_eq!(db.rows().await, 1_000);
}

#[tokio::test]
async fn dropping_partitions_does_not_block_the_ingest() {
    let db = database_with_days().await;
    // PostgreSQL 13 needs a moment in which nobody uses the table, as the documentation of `retain` says.
    if db.major().await < 14 {
        return;
    }
    let insert = "INSERT INTO ecom.events
                  VALUES (now(), now(), 1, 1, gen_random_uuid(), 1, 'view', 'u', 's', 'p')";
    let (slow, quick) = (connect(&db.url).await, connect(&db.url).await);
    quick.batch_execute("SET lock_timeout = '2s'").await.unwrap();
    slow.batch_execute(&format!("BEGIN; {insert}")).await.unwrap();
    let retaining = {
        let maintenance = maintenance(&db);
        tokio::spawn(async move { maintenance.retain(Retention::days(1)).await })
    };
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND query ~ 'DETACH PARTITION' AND wait_event_type = 'Lock'
                   AND pid <> pg_backend_pid()";
    eventually("the detaching to wait", async || db.number(waits).await == 1).await;
    quick.batch_execute(insert).await.unwrap();
    assert!(maintenance(&db).retain(Retention::days(1)).await.unwrap().is_busy);
    slow.batch_execute("COMMIT").await.unwrap();
    assert_eq!(retaining.await.unwrap().unwrap().partitions.len(), 3);
    assert_eq!(db.rows().await, 1_002);
}
