//! The partitions of `ecom.events`: how they are made, and that a span of time reads only its own.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests too"
)]

mod fixture;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::time::Duration;

use bytes::Bytes;
use ecom_sink_pg::PgSink;
use ecom_stream::memory::MemorySource;
use ecom_stream::{Event, EventType, SourceExt};
use fixture::schema::{ask, database_with_schema};
use fixture::{Database, connect};
use futures::SinkExt;
use time::macros::datetime;
use tokio_postgres::error::DbError;
use uuid::Uuid;

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

#[tokio::test]
async fn a_new_partition_has_the_columns_of_the_table_as_its_owner_changed_them() {
    let db = database_with_schema().await;
    db.execute(&ensure("'2026-11-23'")).await;
    db.execute(
        "ALTER TABLE ecom.events ADD COLUMN shouted text GENERATED ALWAYS AS (upper(user_id)) STORED;
         ALTER TABLE ecom.events ADD COLUMN source text NOT NULL DEFAULT 'shop';
         ALTER TABLE ecom.events ALTER COLUMN product_name SET STORAGE EXTERNAL;
         ALTER TABLE ecom.events ALTER COLUMN brand SET STORAGE MAIN",
    )
    .await;
    let version: i32 = db.ask("SHOW server_version_num").await[0].parse().unwrap();
    if version >= 140_000 {
        db.execute("ALTER TABLE ecom.events ALTER COLUMN category SET COMPRESSION pglz")
            .await;
    }
    let noon = datetime!(2026-11-24 12:00 UTC);
    let event = Event::new(Uuid::from_u128(1), noon, EventType::View, "ann", "s", "p");
    let sink = PgSink::from_url(&db.url).unwrap();
    let summary = MemorySource::new("events", vec![event]).to(sink).run().await.unwrap();
    assert_eq!(summary.counts.stored, 1);
    assert_eq!(
        db.ask("SELECT shouted, source FROM ecom.events_y20261124").await,
        ["ANN|shop"]
    );
    // PostgreSQL 13 has no compression of columns, hence jsonb.
    let differing = "
        SELECT p.attname FROM pg_attribute p
        LEFT JOIN pg_attribute c ON c.attrelid = 'ecom.events_y20261124'::regclass AND c.attname = p.attname
        WHERE p.attrelid = 'ecom.events'::regclass AND p.attnum > 0
          AND (p.attnotnull, p.attgenerated, p.attstorage, to_jsonb(p) -> 'attcompression')
              IS DISTINCT FROM (c.attnotnull, c.attgenerated, c.attstorage, to_jsonb(c) -> 'attcompression')";
    assert_eq!(db.ask(differing).await, [""; 0]);
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

    // The indexes of partitions hang together with those of the table, but for that of refunds, which older partitions lack.
    let loose = "SELECT i.indexrelid::regclass FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
                 WHERE c.relispartition AND c.relnamespace = 'ecom'::regnamespace
                   AND i.indexrelid::regclass::text <> concat('ecom.', c.relname, '_refund')
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
async fn partitions_created_by_hand_are_used() {
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

    // PostgreSQL 13 always detaches at once.
    let can_detach_slowly = db.major().await >= 14;
    let other = match can_detach_slowly {
        true => "events_y20261102 CONCURRENTLY",
        false => "events_y20261102",
    };
    for detach in ["events_y20261101", other] {
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
    if can_detach_slowly {
        db.execute("BEGIN").await;
        db.execute("UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'ecom.events_y20261101'::regclass")
            .await;
        assert_eq!(denied(&db, &first).await.code().code(), "42P07");
        db.execute("ROLLBACK").await;
    }

    // Something of the name that has nothing to do with it.
    db.execute("CREATE VIEW ecom.events_y20261205 AS SELECT 1 AS one").await;
    assert_eq!(denied(&db, &ensure("'2026-12-05'")).await.code().code(), "42P07");
    // Where a part of a day is taken, a partition fills the gap.
    db.execute(
        "CREATE TABLE ecom.noon PARTITION OF ecom.events
             FOR VALUES FROM ('2026-12-06 12:00:00+00') TO ('2026-12-07 00:00:00+00');
         CREATE TABLE ecom.odd PARTITION OF ecom.events
             FOR VALUES FROM ('2026-12-07 12:30:00+00') TO ('2026-12-07 13:00:00+00')",
    )
    .await;
    assert_eq!(db.ask(&ensure("'2026-12-06', '2026-12-07'")).await, ["3"]);
    assert_eq!(db.ask(&ensure("'2026-12-06', '2026-12-07'")).await, ["0"]);
    db.execute("SET timezone = 'UTC'").await;
    let gaps = "SELECT partition, starts, ends FROM ecom.partitions WHERE partition ~ '_to_' ORDER BY starts";
    assert_eq!(
        db.ask(gaps).await,
        [
            "events_y20261206_to_20261206120000000000|2026-12-06 00:00:00+00|2026-12-06 12:00:00+00",
            "events_y20261207_to_20261207123000000000|2026-12-07 00:00:00+00|2026-12-07 12:30:00+00",
            "events_y20261207130000000000_to_20261208|2026-12-07 13:00:00+00|2026-12-08 00:00:00+00",
        ]
    );
}

/// How many partitions there are, and the widths that the next ones of two days may have: of a day long ago, and of today.
async fn partitions_and_widths(db: &Database) -> (i64, Vec<String>) {
    let widths = "SELECT widths FROM ecom.partition_widths(ARRAY['2013-01-01', now()]::date[]) ORDER BY day";
    let count = db.number("SELECT count(*) FROM ecom.partitions").await;
    (count, db.ask(widths).await)
}

#[tokio::test]
async fn thin_time_gets_months_and_years() {
    const DAYS: &str = "SELECT '2004-01-01'::date + i FROM generate_series(0, 2999) i";
    // In whatever order they come, one by one and many at once.
    for (order, at_once) in [("", 1), ("DESC", 1), ("", 600), ("DESC", 32)] {
        let db = database_with_schema().await;
        db.execute(&format!(
            "DO $$ DECLARE days date[] := ARRAY({DAYS} ORDER BY 1 {order}); BEGIN
                 FOR i IN 0 .. 2999 / {at_once} LOOP
                     PERFORM ecom.ensure_partitions(days[i * {at_once} + 1 : (i + 1) * {at_once}]);
                 END LOOP;
             END $$"
        ))
        .await;
        let case = format!("{order} {at_once}");
        let (count, widths) = partitions_and_widths(&db).await;
        assert!(count < 75, "{case}: {count} partitions");
        assert_eq!(widths[1], "{day}", "{case}: what is recent stays narrow");
        let missing = format!(
            "SELECT count(*) FROM ({DAYS}) AS d (day)
             WHERE NOT EXISTS (SELECT FROM ecom.partition_bounds() WHERE starts <= day AND ends >= day + 1)"
        );
        assert_eq!(db.number(&missing).await, 0, "{case}");
    }
}

#[tokio::test]
async fn bad_dates_make_a_bounded_number_of_partitions() {
    let db = database_with_schema().await;
    // Each falls into a month or year of which a part may be taken.
    db.execute(
        "DO $$ BEGIN
             FOR i IN 0 .. 1999 LOOP
                 PERFORM ecom.ensure_partitions(ARRAY['1970-01-01'::date + i * 7919 % 21900]);
             END LOOP;
         END $$",
    )
    .await;
    let (count, _) = partitions_and_widths(&db).await;
    assert!(count < 250, "{count} partitions, one day at a time");

    let db = database_with_schema().await;
    let days = "ARRAY(SELECT '1970-01-01'::date + i * 7919 % 21900 FROM generate_series(0, 999) i)";
    db.execute(&format!("SELECT ecom.ensure_partitions({days})")).await;
    let (count, widths) = partitions_and_widths(&db).await;
    assert_eq!((count, widths[0].as_str()), (60, "{day}"), "a year each");
    let days = "ARRAY(SELECT '0001-01-01'::date + i * 7919 % 3652000 FROM generate_series(0, 999) i)";
    db.execute(&format!("SELECT ecom.ensure_partitions({days})")).await;
    let (count, _) = partitions_and_widths(&db).await;
    assert!(count < 170, "{count} partitions of all centuries");
}

#[tokio::test]
async fn full_days_get_days_until_there_are_many() {
    let db = database_with_schema().await;
    // A megabyte each.
    db.execute(
        "SELECT ecom.ensure_partitions(ARRAY(SELECT '2012-01-01'::date + i FROM generate_series(0, 30) i));
         INSERT INTO ecom.events (event_time, processed_at, event_id, quantity, event_type, user_id, session_id, product_id,
                                  product_name)
         SELECT '2012-01-01 00:00Z'::timestamptz + n * interval '1 day', now(), gen_random_uuid(), 1, 'view', 'u', 's', 'p',
             repeat('x', 1500)
         FROM generate_series(0, 30) n, generate_series(0, 799)",
    )
    .await;
    assert_eq!(
        partitions_and_widths(&db).await,
        (31, vec!["{day}".into(), "{day}".into()])
    );
    // As many small ones more.
    db.execute("SELECT ecom.ensure_partitions(ARRAY(SELECT '2011-01-01'::date + i FROM generate_series(0, 30) i))")
        .await;
    assert_eq!(
        partitions_and_widths(&db).await,
        (62, vec!["{month}".into(), "{day}".into()])
    );
}

#[tokio::test]
async fn recent_hours_become_days_when_there_are_too_many() {
    let db = database_with_schema().await;
    db.execute("UPDATE ecom.settings SET partition_width = 'hour'").await;
    let days = "SELECT ecom.ensure_partitions(ARRAY(SELECT now()::date - i FROM generate_series(-2, 15) i))";
    assert_eq!(db.ask(days).await, ["200"], "so many at once");
    assert_eq!(partitions_and_widths(&db).await.1[1], "{hour}");
    assert_eq!(db.ask(days).await, ["200"]);
    assert_eq!(partitions_and_widths(&db).await.1[1], "{day}");
}

/// The server takes the size of a table from its files: one for each gigabyte.
#[tokio::test]
async fn in_a_flood_days_are_made_in_hours() {
    let db = database_with_schema().await;
    let today = db.ask("SET timezone = 'UTC'; SELECT current_date").await.remove(0);
    let widths =
        format!("SELECT widths FROM ecom.partition_widths(ARRAY['2013-01-01', '{today}'::date + 1]) ORDER BY day");
    assert_eq!(db.ask(&ensure(&format!("'{today}'"))).await, ["1"]);
    let name = db.ask("SELECT partition FROM ecom.partitions").await.remove(0);
    let file = format!("SELECT current_setting('data_directory') || '/' || pg_relation_filepath('ecom.{name}')");
    let file = db.ask(&file).await.remove(0);
    let extend = |size: u64, parts: std::ops::Range<u32>| {
        for part in parts {
            let name = format!("{file}.{part}");
            let file = OpenOptions::new().create(true).append(true).open(name).unwrap();
            file.set_len(size).unwrap();
        }
    };
    extend(1 << 30, 1..16);
    extend((1 << 30) - 8_192, 16..17);
    assert_eq!(db.ask(&widths).await, ["{day}", "{day}"]);
    extend(1 << 30, 16..17);
    assert_eq!(
        db.ask(&widths).await,
        ["{day}", "{hour}"],
        "hours are for what is recent"
    );
    let next = format!("'{today}'::date + 1");
    assert_eq!(db.ask(&ensure(&next)).await, ["24"]);
    // When the flood is over, a day is one again.
    assert_eq!(db.ask(&ensure(&format!("'{today}'::date + 3"))).await, ["1"]);
}

/// An epoch takes several locks for each partition, and so does a query of all time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_a_day_for_eight_years_is_stored_in_few_partitions() {
    let db = database_with_schema().await;
    let events = (0..3_000).map(|n| {
        let time = datetime!(2004-01-01 12:00 UTC) + Duration::from_secs(n * 86_400);
        Event::new(Uuid::from_u128(n.into()), time, EventType::View, "u", "s", "p")
    });
    let source = MemorySource::new("memory", events.collect());
    let counts = source
        .to(PgSink::from_url(&db.url).unwrap())
        .run()
        .await
        .unwrap()
        .counts;
    assert_eq!(counts.stored, 3_000);
    let (count, _) = partitions_and_widths(&db).await;
    assert!(count < 75, "{count} partitions");
    let plan = db.ask("EXPLAIN SELECT count(*) FROM ecom.events").await;
    let planned = plan.iter().filter(|line| line.contains(" on events_y")).count();
    assert_eq!(planned as i64, count);
    db.check_balance().await;
}

#[tokio::test]
async fn the_width_may_change_at_any_time() {
    let db = database_with_schema().await;
    let width = async |width: &str| {
        db.execute(&format!("UPDATE ecom.settings SET partition_width = '{width}'"))
            .await;
    };
    assert_eq!(db.ask(&ensure("'2026-11-23'")).await, ["1"]);
    width("month").await;
    // November has a day already, so it goes on in days.
    assert_eq!(db.ask(&ensure("'2026-11-23', '2026-11-24'")).await, ["1"]);
    assert_eq!(db.ask(&ensure("'2026-12-31', '2026-12-05', '2027-02-28'")).await, ["2"]);
    width("hour").await;
    assert_eq!(db.ask(&ensure("'2026-11-24', '2026-12-24'")).await, ["0"]);
    assert_eq!(db.ask(&ensure("'2026-11-25'")).await, ["24"]);
    db.execute("DROP TABLE ecom.events_y2026112507, ecom.events_y2026112523")
        .await;
    width("month").await;
    assert_eq!(db.ask(&ensure("'2026-11-25'")).await, ["2"]);
    width("day").await;
    assert_eq!(db.ask(&ensure("'2026-11-25', '2026-12-01', '2027-03-01'")).await, ["1"]);
    db.execute("SET timezone = 'UTC'").await;
    let hour = "events_y2026112507|2026-11-25 07:00:00+00|2026-11-25 08:00:00+00";
    let all = db
        .ask("SELECT partition, starts, ends FROM ecom.partitions ORDER BY starts")
        .await;
    assert!(all.contains(&hour.to_owned()), "{all:?}");
    let wide: Vec<_> = all
        .iter()
        .filter(|line| !line.starts_with("events_y20261125"))
        .collect();
    assert_eq!(
        wide,
        [
            "events_y20261123|2026-11-23 00:00:00+00|2026-11-24 00:00:00+00",
            "events_y20261124|2026-11-24 00:00:00+00|2026-11-25 00:00:00+00",
            "events_y202612|2026-12-01 00:00:00+00|2027-01-01 00:00:00+00",
            "events_y202702|2027-02-01 00:00:00+00|2027-03-01 00:00:00+00",
            "events_y20270301|2027-03-01 00:00:00+00|2027-03-02 00:00:00+00",
        ]
    );
    let comment = "SELECT obj_description('ecom.events_y202612'::regclass)";
    assert_eq!(
        db.ask(comment).await,
        ["Events from 2026-12-01 00:00 to 2027-01-01 00:00, UTC."]
    );

    for wrong in ["partition_width = 'week'", "index_profile = 'fat'", "only_row = false"] {
        let err = denied(&db, &format!("UPDATE ecom.settings SET {wrong}")).await;
        assert_eq!(err.code().code(), "23514", "{wrong}");
    }
    let err = denied(&db, "INSERT INTO ecom.settings DEFAULT VALUES").await;
    assert_eq!(err.code().code(), "23505");
    // Without its row the settings are the default ones.
    db.execute("DELETE FROM ecom.settings").await;
    assert_eq!(db.ask(&ensure("'2027-06-01'")).await, ["1"]);
    assert_eq!(
        db.ask("SELECT to_regclass('ecom.events_y20270601')").await,
        ["ecom.events_y20270601"]
    );
    let many = "SELECT ecom.ensure_partitions(array_fill('2026-11-23'::date, ARRAY[1001]))";
    assert_eq!(denied(&db, many).await.code().code(), "22023");
}

/// The sink asks for so many days at a time; of 64 the hours take more locks than a server has by default.
#[tokio::test]
async fn the_hours_of_a_week_are_made_at_once() {
    let db = database_with_schema().await;
    db.execute("UPDATE ecom.settings SET partition_width = 'hour', index_profile = 'full'")
        .await;
    let days = "ARRAY(SELECT '2026-11-20'::date + i FROM generate_series(0, 7) i)";
    let made = format!("SELECT ecom.ensure_partitions({days})");
    assert_eq!(db.ask(&made).await, ["192"]);
    let settled =
        "SELECT count(*), bool_and(is_settled), bool_and(ends - starts = interval '1 hour') FROM ecom.partitions";
    assert_eq!(db.ask(settled).await, ["192|t|t"]);
}

/// Each row of an epoch may be of another hour, and each partition that a COPY touches takes several locks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_any_hour_of_a_season_are_stored() {
    const DAYS: usize = 40;
    let db = database_with_schema().await;
    db.execute("UPDATE ecom.settings SET partition_width = 'hour'").await;
    let hours = DAYS * 24;
    let events = (0..2 * hours).map(|n| {
        let time = datetime!(2026-08-01 00:30 UTC) + Duration::from_secs((n % hours) as u64 * 3_600);
        Event::new(Uuid::from_u128(n as u128), time, EventType::View, "u", "s", "p")
    });
    let source = MemorySource::new("memory", events.collect()).max_batch_rows(24);
    let counts = source
        .to(PgSink::from_url(&db.url).unwrap())
        .run()
        .await
        .unwrap()
        .counts;
    assert_eq!(counts.stored, 2 * hours as u64);
    db.check_balance().await;
}

#[tokio::test]
async fn new_partitions_have_few_indexes_or_all() {
    let db = database_with_schema().await;
    assert_eq!(db.ask(&ensure("'2026-11-23'")).await, ["1"]);
    db.execute("UPDATE ecom.settings SET index_profile = 'full'").await;
    assert_eq!(db.ask(&ensure("'2026-11-24'")).await, ["1"]);
    let indexes = "SELECT tablename, string_agg(regexp_replace(indexdef, '.* USING ', ''), '; ' ORDER BY indexname)
                   FROM pg_indexes WHERE tablename ~ '^events_y' GROUP BY 1 ORDER BY 1";
    let lean =
        "brin (event_time); btree (event_time) WHERE (event_type = 'purchase'::text); btree (event_id, event_time)";
    let refund = "btree (event_time) WHERE (event_type = 'refund'::text)";
    assert_eq!(
        db.ask(indexes).await,
        [
            format!("events_y20261123|{lean}; {refund}"),
            format!(
                "events_y20261124|btree (category text_pattern_ops, event_time); {lean}; btree (product_id, event_time); \
                 {refund}; btree (user_id, event_time)"
            ),
        ]
    );
    assert_eq!(
        db.ask("SELECT name, definition FROM ecom.settled_indexes").await,
        [
            "user|(user_id, event_time)",
            "product|(product_id, event_time)",
            "category|(category text_pattern_ops, event_time)",
        ]
    );
    assert_eq!(
        db.ask("SELECT partition, is_settled FROM ecom.partitions ORDER BY 1")
            .await,
        ["events_y20261123|f", "events_y20261124|t"]
    );
    let states = "SELECT index, state, build, clear FROM ecom.partition_indexes ORDER BY 1";
    assert_eq!(
        db.ask(states).await[1..4],
        [
            "events_y20261123_product|missing|CREATE INDEX CONCURRENTLY events_y20261123_product ON \
             ecom.events_y20261123 (product_id, event_time)|DROP INDEX CONCURRENTLY IF EXISTS \
             ecom.events_y20261123_product",
            "events_y20261123_user|missing|CREATE INDEX CONCURRENTLY events_y20261123_user ON \
             ecom.events_y20261123 (user_id, event_time)|DROP INDEX CONCURRENTLY IF EXISTS ecom.events_y20261123_user",
            "events_y20261124_category|valid|CREATE INDEX CONCURRENTLY events_y20261124_category ON \
             ecom.events_y20261124 (category text_pattern_ops, event_time)|DROP INDEX CONCURRENTLY IF EXISTS \
             ecom.events_y20261124_category",
        ]
    );
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
