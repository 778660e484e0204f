//! `ecom-ingest layout`: old partitions are merged into wider ones, while rows are written and read.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use rustix::process::Signal;

use crate::fixture::program::{Ingest, program};
use crate::fixture::schema::database_with_schema;
use crate::fixture::{Database, connect, eventually};
use crate::{HOUR, ingest, maintenance};

/// An event of that time and user.
fn event(time: &str, user: &str) -> String {
    format!(
        "INSERT INTO ecom.events (event_time, processed_at, event_id, quantity, event_type, user_id, session_id, product_id)
         VALUES ('{time}', now(), gen_random_uuid(), 1, 'view', '{user}', 's', 'p')"
    )
}

/// Fourteen days of 2004 with 100 rows each.
async fn database_with_old_days() -> Database {
    let db = database_with_schema().await;
    db.make_days("2004-02-20", 14).await;
    db.execute(
        "INSERT INTO ecom.events (event_time, processed_at, event_id, quantity, event_type, user_id, session_id, product_id,
                                  extra)
         SELECT '2004-02-20 00:00Z'::timestamptz + n % 14 * interval '1 day' + n * interval '1 second', now(),
             gen_random_uuid(), 1, 'view', 'base', 's', 'p', '{\"n\": 1}'
         FROM generate_series(0, 1399) n",
    )
    .await;
    db
}

async fn partitions(db: &Database) -> Vec<String> {
    db.ask("SELECT partition FROM ecom.partitions ORDER BY starts").await
}

/// Every row of the table.
async fn rows(db: &Database) -> Vec<String> {
    db.ask("SELECT * FROM ecom.events ORDER BY event_time, event_id").await
}

/// Nothing is left of a merge that is not a partition, and what the partition has is as if it had been made so.
async fn is_tidy(db: &Database) {
    let loose = "SELECT relname FROM pg_class WHERE relnamespace = 'ecom'::regnamespace AND relkind = 'r'
                   AND relname ~ '^events_' AND NOT relispartition
                 UNION ALL SELECT tgname FROM pg_trigger WHERE tgname ~ '^merging'
                 UNION ALL SELECT conname FROM pg_constraint WHERE conname ~ '^merging'
                 UNION ALL SELECT relname FROM pg_class WHERE relname ~ 'merging'
                 UNION ALL SELECT c.relname FROM pg_class c, pg_class t
                   WHERE t.oid = 'ecom.events'::regclass AND c.relname ~ '^events_y' AND c.relowner <> t.relowner
                 UNION ALL SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
                   WHERE c.relispartition AND i.indisprimary
                     AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)";
    assert_eq!(db.ask(loose).await, [""; 0]);
}

#[tokio::test]
async fn old_days_become_months_and_small_years() {
    let db = database_with_old_days().await;
    // Too many for one step, so these become months first; what is recent stays as it is.
    db.make_days("2005-01-01", 45).await;
    db.execute(
        "SELECT ecom.ensure_partitions(ARRAY[now() - interval '1 day', now()]::date[]);
         UPDATE ecom.settings SET partition_width = 'hour'; SELECT ecom.ensure_partitions(ARRAY['2011-05-05']::date[])",
    )
    .await;
    db.execute(&event("2005-02-03 12:00Z", "late")).await;
    db.execute(&event("2011-05-05 12:30Z", "late")).await;
    let settled = maintenance(&db).settle(HOUR).await.unwrap();
    assert!(settled.failed.is_empty(), "{settled:?}");
    let recent = partitions(&db).await.split_off(14 + 45 + 24);
    let before = rows(&db).await;

    // Those of January 2005 are as many as a month has.
    let mergeable = "SELECT merged, cardinality(partitions), starts, ends FROM ecom.mergeable_partitions";
    db.execute("SET timezone = 'UTC'").await;
    assert_eq!(
        db.ask(mergeable).await,
        [
            "events_y2004|14|2004-01-01 00:00:00+00|2005-01-01 00:00:00+00",
            "events_y200501|31|2005-01-01 00:00:00+00|2005-02-01 00:00:00+00",
            "events_y200502|14|2005-02-01 00:00:00+00|2005-03-01 00:00:00+00",
            "events_y2011|24|2011-01-01 00:00:00+00|2012-01-01 00:00:00+00",
        ]
    );
    let log = ingest(&db, &["layout", "--dry-run"]);
    assert!(log.starts_with("would merge 83 partitions into wider ones\n"), "{log}");
    assert_eq!(partitions(&db).await.len(), 83 + recent.len());
    let log = ingest(&db, &["layout"]);
    assert!(
        log.starts_with("merged 83 partitions into events_y2004, events_y2011, events_y2005\n"),
        "{log}"
    );
    let expected: Vec<String> = ["events_y2004", "events_y2005", "events_y2011"]
        .map(str::to_owned)
        .into_iter()
        .chain(recent)
        .collect();
    assert_eq!(partitions(&db).await, expected);
    assert_eq!(rows(&db).await, before);
    is_tidy(&db).await;
    // As any other partition: settled, with its comment, planned alone, and rows still find their way.
    let is_settled = "SELECT bool_and(is_settled), count(*) FROM ecom.partitions WHERE starts < '2012-01-01'";
    assert_eq!(db.ask(is_settled).await, ["t|3"]);
    let comment = "SELECT obj_description('ecom.events_y2004'::regclass)";
    assert_eq!(
        db.ask(comment).await,
        ["Events from 2004-01-01 00:00 to 2005-01-01 00:00, UTC."]
    );
    let none = "SELECT ecom.ensure_partitions(ARRAY['2004-02-29', '2004-12-31', '2005-06-01']::date[])";
    assert_eq!(db.ask(none).await, ["0"]);
    db.execute(&event("2004-12-31 23:59:59Z", "late")).await;

    let again = maintenance(&db).merge().await.unwrap();
    assert_eq!((again.replaced, again.is_busy), (0, false));
    assert!(again.failed.is_empty() && again.partitions.is_empty(), "{again:?}");
}

#[tokio::test]
async fn killed_at_any_step_it_loses_nothing_and_the_next_call_finishes() {
    for point in [
        "maintenance.merge_begun",
        "maintenance.merge_copying",
        "maintenance.merge_copying:9",
        "maintenance.merge_copied",
        "maintenance.merge_copied:14",
        "maintenance.merge_waited",
        "maintenance.merge_replaced",
    ] {
        let db = database_with_old_days().await;
        let layout = |plan: &str| {
            Ingest::spawn(
                program()
                    .arg("layout")
                    .env("DATABASE_URL", &db.url)
                    .env("ECOM_CRASH_AT", plan),
            )
        };
        let mut before = rows(&db).await;
        let (status, log) = layout(point).end().await;
        assert!(status.signal().is_some(), "{point}: {status}: {log}");
        assert_eq!(rows(&db).await, before, "{point}");
        // Rows are written and changed before anybody cleans up.
        for change in [
            &*event("2004-02-20 12:00Z", "late"),
            &*event("2004-03-04 12:00Z", "late"),
            "UPDATE ecom.events SET quantity = 2 WHERE user_id = 'late'",
            "DELETE FROM ecom.events WHERE user_id = 'base' AND event_time < '2004-02-20 00:01Z'",
        ] {
            db.execute(change).await;
        }
        before = rows(&db).await;
        assert_eq!(before.len(), 1_400 - 5 + 2, "{point}");
        // Killed again while it cleans up, if there is something to clean up.
        let is_left = "SELECT count(*) FROM pg_trigger WHERE tgname ~ '^merging'";
        if db.number(is_left).await > 1 {
            eventually("the end of the first session", async || {
                let (status, _) = layout("maintenance.merge_removed:2").end().await;
                status.signal().is_some()
            })
            .await;
        }
        eventually("the end of that session", async || {
            !maintenance(&db).merge().await.unwrap().is_busy
        })
        .await;
        assert_eq!(partitions(&db).await, ["events_y2004"], "{point}");
        assert_eq!(rows(&db).await, before, "{point}");
        is_tidy(&db).await;
    }
}

#[tokio::test]
async fn whatever_happens_to_a_partition_meanwhile_is_carried_along() {
    let db = database_with_old_days().await;
    // The first day has more pages than one step copies.
    db.execute(
        "INSERT INTO ecom.events (event_time, processed_at, event_id, quantity, event_type, user_id, session_id, product_id)
         SELECT '2004-02-20 06:00Z'::timestamptz + n * interval '1 second', now(), gen_random_uuid(), 1, 'view', 'more', 's',
             'p'
         FROM generate_series(0, 1999) n",
    )
    .await;
    let mut layout = Ingest::spawn(program().arg("layout").env("DATABASE_URL", &db.url).env(
        "ECOM_CRASH_AT",
        "maintenance.merge_copied=stop,maintenance.merge_waited=stop",
    ));
    let stopped = async |layout: &mut Ingest| eventually("the stop", async || layout.is_stopped()).await;
    stopped(&mut layout).await;
    // Eight pages of the first day are copied, the others are not. The changes are of both kinds.
    db.execute(&event("2004-02-21 05:00Z", "late")).await;
    db.execute(&event("2004-03-01 05:00Z", "late")).await;
    for change in [
        "UPDATE ecom.events SET event_time = event_time + interval '9 days', user_id = 'moved'
         WHERE event_time BETWEEN '2004-02-20 00:10Z' AND '2004-02-20 00:12Z'",
        "UPDATE ecom.events SET event_time = event_time - interval '9 days', user_id = 'moved'
         WHERE event_time BETWEEN '2004-03-02 00:10Z' AND '2004-03-02 00:12Z'",
        "DELETE FROM ecom.events WHERE event_time BETWEEN '2004-02-21 00:10Z' AND '2004-02-21 00:12Z'",
        "DELETE FROM ecom.events WHERE event_time BETWEEN '2004-03-01 00:10Z' AND '2004-03-01 00:12Z'",
        "UPDATE ecom.events SET quantity = 3 WHERE event_time BETWEEN '2004-02-28 00:00Z' AND '2004-02-28 00:10Z'",
        "TRUNCATE ecom.events_y20040225",
        // This moves rows to pages that are copied already.
        "DELETE FROM ecom.events WHERE event_time BETWEEN '2004-02-20 06:00Z' AND '2004-02-20 06:05Z'",
        "VACUUM FULL ecom.events_y20040220",
        "VACUUM FULL ecom.events_y20040228",
    ] {
        db.execute(change).await;
    }
    layout.signal(Signal::CONT);
    stopped(&mut layout).await;
    // Everything is copied.
    db.execute(&event("2004-02-22 05:00Z", "late")).await;
    for change in [
        "TRUNCATE ecom.events_y20040226",
        "UPDATE ecom.events SET user_id = 'renamed' WHERE event_time BETWEEN '2004-02-23 00:00Z' AND '2004-02-23 00:10Z'",
        "DELETE FROM ecom.events WHERE event_time BETWEEN '2004-02-24 00:10Z' AND '2004-02-24 00:12Z'",
        // A day that had no partition.
        "SELECT ecom.ensure_partitions(ARRAY['2004-07-01']::date[])",
        "BEGIN; DELETE FROM ecom.events; ROLLBACK",
        "SELECT ecom.ensure_partitions(ARRAY['2004-07-01']::date[])",
    ] {
        db.execute(change).await;
    }
    db.execute(&event("2004-07-01 05:00Z", "late")).await;
    let before = rows(&db).await;
    layout.signal(Signal::CONT);
    let log = layout.succeed().await;
    assert!(!log.contains("WARN"), "{log}");
    assert_eq!(partitions(&db).await, ["events_y2004"]);
    assert_eq!(rows(&db).await, before);
    is_tidy(&db).await;
}

/// A snapshot from before the rows were copied does not see the copies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_snapshots_are_waited_for() {
    let db = database_with_old_days().await;
    let (reader, changer) = (connect(&db.url).await, connect(&db.url).await);
    for client in [&reader, &changer] {
        client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM ecom.settings")
            .await
            .unwrap();
    }
    let merging = {
        let maintenance = maintenance(&db);
        tokio::spawn(async move { maintenance.merge().await })
    };
    let copied = "SELECT CASE WHEN to_regclass('ecom.events_y2004_merging') IS NULL THEN 0
                  ELSE (SELECT n_tup_ins FROM pg_stat_all_tables WHERE relname = 'events_y2004_merging') END";
    eventually("the copies", async || db.number(copied).await == 1_400).await;
    // It would be lost from the copies otherwise.
    let delete = "DELETE FROM ecom.events WHERE event_time < '2004-02-20 00:10Z'";
    let err = changer.batch_execute(delete).await.unwrap_err();
    assert_eq!(err.code().unwrap().code(), "40001", "{err:?}");
    changer.batch_execute("ROLLBACK").await.unwrap();
    assert!(!merging.is_finished());
    db.execute(&event("2004-02-22 05:00Z", "late")).await;
    let count = reader.query_one("SELECT count(*) FROM ecom.events", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 1_400);
    reader.batch_execute("COMMIT").await.unwrap();
    let merged = merging.await.unwrap().unwrap();
    assert_eq!(
        (merged.partitions, merged.replaced),
        (vec!["events_y2004".to_owned()], 14)
    );
    assert_eq!(db.rows().await, 1_401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merging_does_not_block_the_ingest() {
    let db = database_with_old_days().await;
    let (slow, quick) = (connect(&db.url).await, connect(&db.url).await);
    quick.batch_execute("SET lock_timeout = '2s'").await.unwrap();
    // It began before, so it is waited for, then it holds the table.
    slow.batch_execute(&format!("BEGIN; {}", event("2004-02-22 05:00Z", "late")))
        .await
        .unwrap();
    let merging = {
        let maintenance = maintenance(&db);
        tokio::spawn(async move { maintenance.merge().await })
    };
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND query ~ 'begin_copy' AND wait_event_type = 'Lock'
                   AND pid <> pg_backend_pid()";
    eventually("the trigger to wait", async || db.number(waits).await == 1).await;
    quick.batch_execute(&event("2004-02-22 05:00Z", "late")).await.unwrap();
    assert!(maintenance(&db).merge().await.unwrap().is_busy);
    slow.batch_execute("COMMIT").await.unwrap();
    assert_eq!(merging.await.unwrap().unwrap().replaced, 14);
    assert_eq!(db.rows().await, 1_402);
}

/// Readers count all the time, and rows come late into the partitions that are being merged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reader_misses_a_row_or_sees_one_twice() {
    let db = database_with_old_days().await;
    db.make_days("2006-01-01", 5).await;
    let (is_over, late) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let loading = {
        let (client, is_over, late) = (connect(&db.url).await, is_over.clone(), late.clone());
        tokio::spawn(async move {
            for n in 0.. {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                let day = ["2004-02-21", "2004-03-02", "2006-01-03"][n % 3];
                client
                    .batch_execute(&event(&format!("{day} 12:00Z"), "late"))
                    .await
                    .unwrap();
                late.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    let mut reading = Vec::new();
    for isolation in ["READ COMMITTED", "REPEATABLE READ"] {
        let (client, is_over, late) = (connect(&db.url).await, is_over.clone(), late.clone());
        reading.push(tokio::spawn(async move {
            let mut reads = 0;
            while !is_over.load(Ordering::SeqCst) {
                let least = late.load(Ordering::SeqCst);
                let begin = format!("BEGIN ISOLATION LEVEL {isolation}; SELECT FROM ecom.settings");
                client.batch_execute(&begin).await.unwrap();
                let counts =
                    "SELECT count(*) FILTER (WHERE user_id = 'base'), count(*) FILTER (WHERE user_id = 'late'),
                                  count(DISTINCT event_id) FROM ecom.events";
                let row = client.query_one(counts, &[]).await.unwrap();
                let (base, more, ids): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
                client.batch_execute("COMMIT").await.unwrap();
                // One may be stored that is not counted yet.
                let most = late.load(Ordering::SeqCst) + 1;
                assert_eq!((base, ids), (1_400, base + more), "{isolation}");
                assert!((least..=most).contains(&more), "{isolation}: {least} to {most}: {more}");
                reads += 1;
            }
            reads
        }));
    }
    let merged = maintenance(&db).merge().await.unwrap();
    is_over.store(true, Ordering::SeqCst);
    loading.await.unwrap();
    for reading in reading {
        assert!(reading.await.unwrap() > 0);
    }
    assert_eq!((merged.replaced, merged.failed.len()), (19, 0), "{merged:?}");
    assert_eq!(partitions(&db).await, ["events_y2004", "events_y2006"]);
    assert_eq!(db.rows().await, 1_400 + late.load(Ordering::SeqCst));
    is_tidy(&db).await;
}

#[tokio::test]
async fn what_cannot_be_merged_stays_as_it_is() {
    let db = database_with_old_days().await;
    db.make_days("2006-01-01", 3).await;
    db.execute("CREATE VIEW ecom.of_a_day AS SELECT * FROM ecom.events_y20040222")
        .await;
    let before = rows(&db).await;
    let merged = maintenance(&db).merge().await.unwrap();
    assert_eq!(
        (merged.partitions, merged.failed),
        (vec!["events_y2006".to_owned()], vec!["events_y2004".to_owned()])
    );
    assert_eq!(partitions(&db).await.len(), 14 + 1);
    assert_eq!(rows(&db).await, before);
    is_tidy(&db).await;

    db.execute("DROP VIEW ecom.of_a_day; CREATE TABLE ecom.events_y2004 ()")
        .await;
    assert_eq!(maintenance(&db).merge().await.unwrap().failed, ["events_y2004"]);
    db.execute(
        "DROP TABLE ecom.events_y2004;
         CREATE TABLE ecom.notes (id uuid, time timestamptz, FOREIGN KEY (id, time) REFERENCES ecom.events)",
    )
    .await;
    assert_eq!(maintenance(&db).merge().await.unwrap().failed, ["events_y2004"]);
    // Its subscribers would get the copies, and have no such table.
    db.execute("DROP TABLE ecom.notes; CREATE PUBLICATION everything FOR ALL TABLES")
        .await;
    assert_eq!(maintenance(&db).merge().await.unwrap().failed, ["events_y2004"]);
    assert_eq!(rows(&db).await, before);
    db.execute("DROP PUBLICATION everything; CREATE PUBLICATION events_only FOR TABLE ecom.events")
        .await;
    assert_eq!(maintenance(&db).merge().await.unwrap().replaced, 14);
    assert_eq!(rows(&db).await, before);
}
