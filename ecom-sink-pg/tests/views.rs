//! What the views say, and the columns that are made from marks.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests too"
)]

mod fixture;

use fixture::schema::database_with_schema;
use fixture::{Database, connect, eventually};

const EVENTS: &str = "
    INSERT INTO ecom.events
        (event_time, processed_at, split_id, record_no, event_id, quantity, event_type,
         user_id, session_id, product_id, product_name, category, brand, price)
    SELECT t::timestamptz, now(), 1, n, ('00000000-0000-0000-0000-' || lpad(id::text, 12, '0'))::uuid, q, type,
        'u', s, p, name, cat, brand, price
    FROM (VALUES
        ('2026-11-23 10:00:00+00',        1, 1, 1, 'view',             's1', 'p1', 'Old name', 'a.b', NULL, 10.00),
        ('2026-11-23 10:00:59.999999+00', 2, 2, 1, 'add_to_cart',      's1', 'p1', 'Old name', 'a.b', NULL, 10.00),
        ('2026-11-23 10:01:00+00',        3, 3, 3, 'purchase',         's1', 'p1', 'New name', NULL,  NULL, 9.99),
        ('2026-11-23 10:01:30+00',        4, 4, 1, 'view',             's2', 'p1', NULL,       NULL,  NULL, NULL),
        ('2026-11-23 10:01:31+00',        5, 5, 1, 'view',             's2', 'p2', 'Two',      'c',   'B',  5.00),
        ('2026-11-23 10:01:32+00',        6, 6, 1, 'add_to_cart',      's2', 'p2', 'Two',      'c',   'B',  5.00),
        ('2026-11-23 10:01:33+00',        7, 7, 1, 'remove_from_cart', 's2', 'p2', 'Two',      'c',   'B',  5.00),
        ('2026-11-24 00:00:00+00',        8, 8, 2, 'purchase',         's3', 'p3', NULL,       NULL,  NULL, 100.00),
        ('2026-11-24 00:00:01+00',        9, 9, 1, 'view',             's4', 'p2', 'Two',      'c',   'B',  5.00),
        ('2026-11-24 00:00:02+00',       10, 9, 1, 'view',             's4', 'p2', 'Two',      'c',   'B',  5.00)
    ) AS e (t, n, id, q, type, s, p, name, cat, brand, price)";

const LEDGER: &str = r#"
    INSERT INTO ecom.ingest_pipeline (pipeline, sources, epoch, committed_at)
    VALUES ('events', '{"csv": "/data"}', 7, '2026-11-23 11:00:00+00'), ('idle', '{}', 0, NULL);
    INSERT INTO ecom.ingest_split
        (split_id, pipeline, source, path, generation, state, reason,
         read_offset, read, stored, duplicates, rejected, filtered, mark, updated_at)
    VALUES
        (1000000000001, 'events', 'csv', 'a.csv', 0, 'finished', NULL, 1000, 10, 6, 2, 1, 1,
         '{"size": 1000, "mtime_ns": 1795600800123456789, "inode": 18446744073709551615, "digest": "ab",
           "ignored_columns": ["x", "y z"]}',
         '2026-11-25 10:00:02.123456+00'),
        (1000000000002, 'events', 'csv', 'a.csv', 1, 'open', NULL,
         333, 3, 2, 0, 0, 0, '{"size": 1000}', now()),
        (1000000000003, 'events', 'csv', 'empty.csv', 0, 'finished', NULL,
         0, 0, 0, 0, 0, 0, '{"size": 0}', now()),
        (1000000000004, 'events', 'csv', 'bad.csv', 0, 'set_aside', 'wrong_delimiter',
         0, 0, 0, 0, 0, 0, NULL, now());
    INSERT INTO ecom.dead_letters (epoch, rejected_at, pipeline, path, reason, detail,
         raw, raw_text, split_id, record_no, byte_offset)
    VALUES
        (1, '2026-11-23 10:00:00+00', 'events', 'a.csv', 'late', 'first', 'x', 'x', 1000000000001, 1, 50),
        (2, '2026-11-23 11:00:00+00', 'events', 'a.csv', 'late', 'second',
         '\xff', repeat('y', 300), 1000000000001, 2, 60),
        (2, '2026-11-23 11:00:00+00', 'events', 'a.csv', 'price_missing', 'third',
         NULL, NULL, NULL, NULL, NULL)"#;

const PER_MINUTE: &str = "SELECT * FROM ecom.events_per_minute ORDER BY minute";

#[tokio::test]
async fn views_of_nothing() {
    let db = database_with_schema().await;
    for empty in [
        "events_per_minute",
        "top_products",
        "events_by_type",
        "ids_at_several_times",
        "ingest_status",
        "ingest_balance",
        "dead_letter_summary",
        "reject_outcomes",
    ] {
        assert_eq!(db.ask(&format!("SELECT * FROM ecom.{empty}")).await, [""; 0], "{empty}");
    }
    let funnel = db.ask("SELECT * FROM ecom.conversion_funnel").await;
    assert_eq!(funnel, ["1|view|0||", "2|add_to_cart|0||", "3|purchase|0||"]);
}

#[tokio::test]
async fn views_give_what_was_counted_by_hand() {
    let db = database_with_schema().await;
    db.execute("SET timezone = 'UTC'").await;
    db.execute("SELECT ecom.ensure_partitions(ARRAY['2026-11-23', '2026-11-24']::date[])")
        .await;
    db.execute(EVENTS).await;
    assert_eq!(
        db.ask(PER_MINUTE).await,
        [
            "2026-11-23 10:00:00+00|2|1|1|0|0|0",
            "2026-11-23 10:01:00+00|5|2|1|1|1|29.97",
            "2026-11-24 00:00:00+00|3|2|0|0|1|200.00",
        ]
    );
    // s3 purchased without a view, so it isn't in the funnel.
    assert_eq!(
        db.ask("SELECT * FROM ecom.conversion_funnel").await,
        [
            "1|view|3|1.0000|",
            "2|add_to_cart|2|0.6667|0.6667",
            "3|purchase|1|0.3333|0.5000"
        ]
    );
    assert_eq!(
        db.ask("SELECT * FROM ecom.top_products").await,
        [
            "p3||||0|0|1|2|200.00|",
            "p1|New name|a.b||2|1|1|3|29.97|0.5000",
            "p2|Two|c|B|3|1|0|0|0|0.0000",
        ]
    );
    assert_eq!(
        db.ask("SELECT * FROM ecom.events_by_type").await,
        [
            "view|5|0.5000|0",
            "add_to_cart|2|0.2000|0",
            "purchase|2|0.2000|229.97",
            "remove_from_cart|1|0.1000|0",
        ]
    );
    assert_eq!(
        db.ask("SELECT * FROM ecom.ids_at_several_times").await,
        ["00000000-0000-0000-0000-000000000009|2|2026-11-24 00:00:01+00|2026-11-24 00:00:02+00"]
    );
}

#[tokio::test]
async fn spans_include_their_start_and_not_their_end() {
    let db = database_with_schema().await;
    db.execute("SET timezone = 'UTC'").await;
    db.execute("SELECT ecom.ensure_partitions(ARRAY['2026-11-23', '2026-11-24']::date[])")
        .await;
    db.execute(EVENTS).await;
    let span = "ecom.events_per_minute('2026-11-23 10:01:00+00', '2026-11-24 00:00:00+00')";
    assert_eq!(
        db.ask(&format!("SELECT minute, events FROM {span}")).await,
        ["2026-11-23 10:01:00+00|5"]
    );
    assert_eq!(
        db.ask("SELECT * FROM ecom.events_by_type(until => '2026-11-23 10:01:00+00')")
            .await,
        ["add_to_cart|1|0.5000|0", "view|1|0.5000|0"]
    );
    assert_eq!(
        db.ask("SELECT product_id FROM ecom.top_products('2026-11-24')").await,
        ["p3", "p2"]
    );
    assert_eq!(
        db.ask("SELECT sessions FROM ecom.conversion_funnel('2026-11-24')")
            .await,
        ["1", "0", "0"]
    );
}

#[tokio::test]
async fn views_of_the_ledger() {
    let db = database_with_schema().await;
    db.execute("SET timezone = 'UTC'").await;
    db.execute(LEDGER).await;
    let status =
        "SELECT path, generation, state, reason, size, bytes_read, percent, balance_ok, ignored_columns, mtime, lag
                  FROM ecom.ingest_status ORDER BY split_id";
    assert_eq!(
        db.ask(status).await,
        [
            "a.csv|0|finished||1000|1000|100.0|t|[\"x\", \"y z\"]|2026-11-25 10:00:00.123457+00|00:00:01.999999",
            "a.csv|1|open||1000|333|33.3|f|||",
            "empty.csv|0|finished||0|0|100.0|t|||",
            "bad.csv|0|set_aside|wrong_delimiter||0||t|||",
        ]
    );
    assert_eq!(
        db.ask("SELECT * FROM ecom.ingest_balance ORDER BY pipeline").await,
        [
            "events|4|1|2|0|1|13|8|2|1|1|f|7|2026-11-23 11:00:00+00",
            "idle|0|0|0|0|0|0|0|0|0|0|t|0|",
        ]
    );
    let y = "y".repeat(200);
    assert_eq!(
        db.ask("SELECT * FROM ecom.dead_letter_summary").await,
        [
            format!("events|late|2|2026-11-23 10:00:00+00|2026-11-23 11:00:00+00|2|a.csv|2|second|{y}"),
            "events|price_missing|1|2026-11-23 11:00:00+00|2026-11-23 11:00:00+00|3|a.csv||third|".to_owned(),
        ]
    );
}

#[tokio::test]
async fn views_accept_any_split_mark() {
    let db = database_with_schema().await;
    db.execute("SET timezone = 'UTC'").await;
    let marks = [
        ("null", "|||"),
        ("[1, 2]", "|||"),
        ("\"text\"", "|||"),
        (
            "{\"size\": \"big\", \"mtime_ns\": \"now\", \"digest\": 5, \"ignored_columns\": {}}",
            "||5|{}",
        ),
        (
            "{\"size\": 18446744073709551615, \"mtime_ns\": -9223372036854775808}",
            "9223372036854775807|1677-09-21 00:12:43.145224+00||",
        ),
        (
            "{\"size\": -1, \"mtime_ns\": 9223372036854775807}",
            "0|2262-04-11 23:47:16.854776+00||",
        ),
        ("{\"size\": 1e1000, \"mtime_ns\": 1e300}", "9223372036854775807|||"),
        ("{\"size\": 1.5, \"mtime_ns\": 0.5}", "2|1970-01-01 00:00:00+00||"),
    ];
    for (n, (mark, expected)) in marks.iter().enumerate() {
        let sql = format!(
            "INSERT INTO ecom.ingest_split (split_id, pipeline, source, path, mark)
             VALUES ({n}, 'p', 's', '{n}', '{mark}')
             RETURNING size, mtime, digest, ignored_columns"
        );
        assert_eq!(db.ask(&sql).await, [*expected], "{mark}");
    }
    // A source must find its mark as it left it.
    let kept = db.ask("SELECT mark FROM ecom.ingest_split ORDER BY split_id").await;
    assert_eq!(kept, marks.map(|(mark, _)| mark));
}

#[tokio::test]
async fn progress_stays_on_its_page() {
    let db = database_with_schema().await;
    db.execute(
        "INSERT INTO ecom.ingest_pipeline (pipeline) VALUES ('p');
         INSERT INTO ecom.ingest_split (split_id, pipeline, source, path)
         SELECT n, 'p', 's', 'events-20261123T120000-' || n || '.csv' FROM generate_series(1, 1000) n",
    )
    .await;
    // One file bit by bit, and others now and then. A session hands in its counts when it ends.
    let writer = connect(&db.url).await;
    let digest = "ab".repeat(32);
    for n in 1..=100 {
        let commit = format!(
            r#"BEGIN;
               UPDATE ecom.ingest_split SET read_offset = {n}, record_no = {n}, read = {n}, stored = {n},
                   updated_at = clock_timestamp(),
                   mark = '{{"size": {n}, "mtime_ns": {n}, "inode": 7, "digest": "{digest}"}}'
               WHERE split_id IN (25, {n} * 10);
               UPDATE ecom.ingest_pipeline SET epoch = {n} WHERE pipeline = 'p';
               COMMIT"#
        );
        writer.batch_execute(&commit).await.unwrap();
    }
    drop(writer);
    let mut counts = Vec::new();
    eventually("the counts of all updates", async || {
        let sql = "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
                   WHERE relname IN ('ingest_split', 'ingest_pipeline') ORDER BY 1";
        counts = db.ask(sql).await;
        // Before version 15 a session hands in a part of them earlier.
        counts[0].starts_with("ingest_pipeline|100|") && counts[1].starts_with("ingest_split|200|")
    })
    .await;
    // Autovacuum may look at a table meanwhile, and keep old versions on the page for that moment.
    for (count, least) in [(&counts[0], 80), (&counts[1], 160)] {
        let (_, heap_only) = count.rsplit_once('|').unwrap();
        assert!(heap_only.parse::<i32>().unwrap() >= least, "{counts:?}");
    }
}

#[tokio::test]
async fn views_separate_corrected_rejects_from_waiting_ones() {
    let db = database_with_schema().await;
    db.execute(
        "SET timezone = 'UTC';
         INSERT INTO ecom.ingest_split (split_id, pipeline, source, path, state, read, stored, duplicates, rejected)
         VALUES (1, 'p', 's', 'a.csv', 'finished', 6, 2, 1, 3);
         INSERT INTO ecom.dead_letters (epoch, pipeline, reason, detail, split_id, rejected_at, resolved_at, resolution)
         VALUES (1, 'p', 'late', 'first', 1, '2026-11-23 10:00Z', NULL, NULL),
                (1, 'p', 'late', 'second', 1, '2026-11-23 11:00Z', '2026-11-25 09:00Z', 'stored'),
                (1, 'p', 'late', 'third', 1, '2026-11-24 10:00Z', '2026-11-25 08:00Z', 'duplicate'),
                (1, 'p', 'late', 'fourth', 1, '2026-11-24 10:00Z', NULL, NULL),
                (1, 'p', 'late', 'fifth', 1, '2026-11-24 10:00Z', NULL, NULL),
                (1, 'p', 'field_count', 'sixth', 1, now(), now(), 'stored')",
    )
    .await;
    let outcomes =
        "SELECT pipeline, reason, refused, waiting, stored, duplicates, last_mended_at FROM ecom.reject_outcomes
                    WHERE reason = 'late'";
    assert_eq!(db.ask(outcomes).await, ["p|late|5|3|1|1|2026-11-25 09:00:00+00"]);
    let summary = "SELECT reason, records, example_detail FROM ecom.dead_letter_summary";
    assert_eq!(db.ask(summary).await, ["late|3|fifth"]);
    let days = "SELECT day, rejected FROM ecom.quality_by_day()";
    assert_eq!(db.ask(days).await, ["2026-11-23|1", "2026-11-24|2"]);
    let reasons = "SELECT rejected, reasons FROM ecom.quality_by_file";
    assert_eq!(db.ask(reasons).await, ["3|{\"late\": 3}"]);
    assert_eq!(db.ask("SELECT rejected_last_hour FROM ecom.pulse").await, ["0"]);
}

#[tokio::test]
async fn the_sums_of_the_ledger_follow_every_change() {
    let db = database_with_schema().await;
    let insert = "INSERT INTO ecom.ingest_split (split_id, pipeline, source, path, state, read_offset, read, stored, rejected, mark)
                  SELECT n, 'p' || n % 3, 's', n || '.csv', (ARRAY['open', 'finished', 'damaged', 'set_aside'])[1 + n % 4],
                         n, 2 * n, n, n, json_build_object('size', 2 * n)
                  FROM generate_series(1, 40) n";
    let changes = [
        insert,
        // Of a statement that inserts and updates, each row counts once.
        "INSERT INTO ecom.ingest_split AS s (split_id, pipeline, source, path, read, stored)
         SELECT n, 'p1', 's', 'later-' || n, 1, 1 FROM generate_series(31, 50) n
         ON CONFLICT (split_id) DO UPDATE SET read = s.read + 1, stored = s.stored + 1, state = 'finished'",
        "UPDATE ecom.ingest_split SET rejected = rejected - 1, duplicates = 1 WHERE split_id % 5 = 0",
        "UPDATE ecom.ingest_split SET filtered = 1 WHERE split_id = 7",
        "UPDATE ecom.ingest_split SET state = 'open', read_offset = 0, pipeline = 'p9' WHERE split_id % 7 = 0",
        "UPDATE ecom.ingest_split SET updated_at = now()",
        "UPDATE ecom.ingest_split SET read = 0 WHERE false",
        "BEGIN; DELETE FROM ecom.ingest_split WHERE split_id < 20; ROLLBACK",
        "DELETE FROM ecom.ingest_split WHERE split_id % 3 = 0",
        "TRUNCATE ecom.ingest_split",
        insert,
    ];
    for change in changes {
        db.execute(change).await;
        db.check_totals().await;
    }
    db.execute("INSERT INTO ecom.ingest_pipeline (pipeline) VALUES ('p0'), ('p1'), ('none')")
        .await;
    let balance =
        "SELECT pipeline, files, files_open, files_finished, files_damaged, files_set_aside, read, stored, balance_ok
                   FROM ecom.ingest_balance ORDER BY pipeline";
    let counted = "SELECT p.pipeline, count(s.split_id), count(*) FILTER (WHERE s.state = 'open'),
                       count(*) FILTER (WHERE s.state = 'finished'), count(*) FILTER (WHERE s.state = 'damaged'),
                       count(*) FILTER (WHERE s.state = 'set_aside'), coalesce(sum(s.read), 0), coalesce(sum(s.stored), 0),
                       coalesce(bool_and(s.read = s.stored + s.duplicates + s.rejected + s.filtered), true)
                   FROM ecom.ingest_pipeline p LEFT JOIN ecom.ingest_split s USING (pipeline) GROUP BY 1 ORDER BY 1";
    assert_eq!(db.ask(balance).await, db.ask(counted).await);

    // A ledger that was there before its sums were kept.
    let (_, migration) = ecom_sink_pg::schema::texts()
        .find(|(name, _)| *name == "V13__ledger_totals")
        .unwrap();
    db.execute(&format!("DELETE FROM ecom.ingest_total; {migration}")).await;
    db.check_totals().await;
    assert_eq!(db.ask(balance).await, db.ask(counted).await);
}

/// Blocks that a query touches, as EXPLAIN counts them.
async fn blocks(db: &Database, sql: &str) -> u64 {
    let plan = db.ask(&format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {sql}")).await;
    let touched = plan.iter().find(|line| line.contains("Buffers: shared")).unwrap();
    let number = |kind| {
        touched
            .split(kind)
            .nth(1)
            .map_or(0, |rest| rest.split(' ').next().unwrap().parse().unwrap())
    };
    number("hit=") + number(" read=")
}

#[tokio::test]
async fn totals_are_read_without_the_ledger() {
    let db = database_with_schema().await;
    db.execute(
        "INSERT INTO ecom.ingest_pipeline (pipeline) VALUES ('p');
         INSERT INTO ecom.ingest_split (split_id, pipeline, source, path, state, finished_at, read, stored)
         SELECT n, 'p', 's', n || '.csv', 'finished', now(), 1, 1 FROM generate_series(1, 20000) n",
    )
    .await;
    assert_eq!(
        db.ask("SELECT files, read, balance_ok FROM ecom.ingest_balance").await,
        ["20000|20000|t"]
    );
    let read = blocks(&db, "SELECT * FROM ecom.ingest_balance").await;
    assert!(read < 10, "{read} blocks");
}
