//! The upkeep of the table: settling, the end of old partitions, the layout of new ones.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests too"
)]

mod fixture;

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use ecom_sink_pg::{IndexProfile, Maintenance, PartitionWidth, Retention};
use ecom_stream::ErrorKind;
use fixture::program::{Ingest, once, program};
use fixture::schema::database_with_schema;
use fixture::{Database, connect, database, drop_in, eventually};

const HOUR: Duration = Duration::from_secs(3_600);

/// Rows of three days long ago and of now, on partitions made by day.
async fn database_with_days() -> Database {
    let db = database_with_schema().await;
    db.execute(
        "SELECT ecom.ensure_partitions(ARRAY['2026-10-01', '2026-10-02', '2026-10-03', now()]::date[]);
         INSERT INTO ecom.events
         SELECT t, now(), NULL, NULL, gen_random_uuid(), 1, 'view', 'user-' || n % 50, 's-' || n, 'sku-' || n % 20,
                NULL, 'home.light', NULL, 1
         FROM generate_series(0, 999) n, unnest(ARRAY['2026-10-01 12:00+00', '2026-10-02 12:00+00', '2026-10-03 12:00+00',
                                                      now()]::timestamptz[]) t",
    )
    .await;
    db
}

fn maintenance(db: &Database) -> Maintenance {
    Maintenance::from_url(&db.url).unwrap()
}

/// Runs a subcommand to its end.
async fn ingest(db: &Database, args: &[&str]) -> String {
    Ingest::spawn(program().args(args).env("DATABASE_URL", &db.url))
        .succeed()
        .await
}

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
async fn what_rests_is_settled_and_late_rows_still_go_in() {
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
    let log = ingest(&db, &["settle", "--rested", "1h"]).await;
    assert!(log.contains("built events_y20261004_category"), "{log}");
    let log = ingest(&db, &["settle"]).await;
    assert!(log.contains("nothing to do"), "{log}");
}

#[tokio::test]
async fn what_an_interrupted_build_left_is_built_again() {
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
async fn settling_holds_up_nobody() {
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
async fn a_partition_that_can_not_be_settled_is_left_for_later() {
    let db = database_with_days().await;
    // Something else has the name of an index.
    db.execute("CREATE TABLE ecom.events_y20261003_user ()").await;
    let settled = maintenance(&db).settle(HOUR).await.unwrap();
    assert_eq!(
        (settled.built.len(), settled.failed.as_slice()),
        (8, ["events_y20261003_user".to_owned()].as_slice())
    );
    let log = ingest(&db, &["settle"]).await;
    assert!(log.contains("could not build events_y20261003_user"), "{log}");
    db.execute("DROP TABLE ecom.events_y20261003_user").await;
    assert_eq!(maintenance(&db).settle(HOUR).await.unwrap().built.len(), 1);
}

#[tokio::test]
async fn partitions_are_settled_beside_the_loading() {
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
    assert!(log.contains("settled: built"), "{log}");
    db.check_balance().await;
}

#[tokio::test]
async fn the_table_is_its_owners_to_change() {
    let db = database_with_days().await;
    db.execute(
        "CREATE ROLE stranger LOGIN; GRANT USAGE ON SCHEMA ecom TO stranger;
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ecom TO stranger;
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ecom TO stranger",
    )
    .await;
    let url = format!("{}&user=stranger", db.url);
    let stranger = Maintenance::from_url(&url).unwrap();
    for err in [
        stranger.settle(HOUR).await.unwrap_err(),
        stranger.retain(Retention::days(1)).await.unwrap_err(),
        stranger.layout().await.unwrap_err(),
        stranger.keep_settled(HOUR).await,
    ] {
        assert_eq!(err.kind(), ErrorKind::Configuration);
        let message = err.to_string();
        assert!(
            message.contains("the role \"stranger\" does not own the table ecom.events"),
            "{message}"
        );
    }
    let (status, log) = Ingest::spawn(program().arg("settle").env("DATABASE_URL", &url))
        .end()
        .await;
    assert_eq!(status.code(), Some(3), "{log}");
    assert_eq!(db.rows().await, 4_000);
}

#[tokio::test]
async fn what_is_older_goes_as_a_whole() {
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
    db.execute("SET timezone = 'UTC'").await;
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

    let log = ingest(&db, &["retain", "--days", &keep.to_string(), "--dry-run"]).await;
    assert!(log.contains("would drop the partitions events_y202606"), "{log}");
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
    let log = ingest(&db, &["retain", "--days", &keep.to_string()]).await;
    assert!(log.contains("dropped no partitions, and 0 dead letters"), "{log}");
}

#[tokio::test]
async fn a_month_with_younger_days_stays() {
    let db = database_with_schema().await;
    db.execute(
        "UPDATE ecom.settings SET partition_width = 'month';
         SELECT ecom.ensure_partitions(ARRAY[now() - interval '31 days', now()]::date[])",
    )
    .await;
    let gone = maintenance(&db).retain(Retention::days(0)).await.unwrap();
    assert!(gone.partitions.len() <= 1, "{gone:?}");
    let now = "SELECT count(*) FROM ecom.partitions WHERE starts <= now() AND ends > now()";
    assert_eq!(db.number(now).await, 1);
}

#[tokio::test]
async fn what_was_dropped_does_not_come_back_from_its_files() {
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
async fn an_end_that_was_interrupted_is_finished_the_next_time() {
    let db = database_with_days().await;
    // One that somebody detached in order to keep it.
    db.execute("ALTER TABLE ecom.events DETACH PARTITION ecom.events_y20261001")
        .await;
    for point in ["maintenance.drop:1", "maintenance.drop:2", "maintenance.drop:3"] {
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
    db.execute(
        "SELECT ecom.ensure_partitions(ARRAY['2026-10-02']::date[]);
         COMMENT ON TABLE ecom.events_y20261002 IS 'On its way out: ecom-ingest retain drops it.';
         UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'ecom.events_y20261002'::regclass",
    )
    .await;
    eventually("the lock", async || {
        !maintenance(&db).retain(Retention::days(1)).await.unwrap().is_busy
    })
    .await;
    let tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^events_y2026100'";
    assert_eq!(db.ask(tables).await, ["events_y20261001"]);
    assert_eq!(db.rows().await, 1_000);
}

#[tokio::test]
async fn an_end_holds_up_nobody() {
    let db = database_with_days().await;
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

#[tokio::test]
async fn the_layout_is_one_of_the_database() {
    let db = database().await;
    // Before anything else there is.
    let log = ingest(&db, &["layout", "--partition-width", "hour"]).await;
    assert!(
        log.contains("a new partition holds one hour and has lean indexes; there are 0, of which 0 are settled"),
        "{log}"
    );
    let input = tempfile::tempdir().unwrap();
    drop_in(input.path(), "a.csv", 0..100);
    once(&db, &input).await;
    let layout = maintenance(&db)
        .change_layout(Some(PartitionWidth::Month), Some(IndexProfile::Full))
        .await
        .unwrap();
    // Five days of hours.
    assert_eq!((layout.partitions, layout.settled_partitions), (120, 0));
    let unchanged = maintenance(&db).layout().await.unwrap();
    assert_eq!(unchanged, layout);
    assert_eq!(unchanged.partition_width, PartitionWidth::Month);
    db.execute("SELECT ecom.ensure_partitions(ARRAY['2027-01-05']::date[])")
        .await;
    let settled = "SELECT partition FROM ecom.partitions WHERE is_settled";
    assert_eq!(db.ask(settled).await, ["events_y202701"]);
    let (status, log) = Ingest::spawn(program().args(["layout", "--partition-width", "week"]))
        .end()
        .await;
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(
        log.contains("\"week\" is no width of partitions (hour, day or month)"),
        "{log}"
    );
    // Without its row the defaults hold.
    db.execute("DELETE FROM ecom.settings").await;
    let layout = maintenance(&db).layout().await.unwrap();
    assert_eq!(
        (layout.partition_width, layout.index_profile),
        (PartitionWidth::Day, IndexProfile::Lean)
    );
}
