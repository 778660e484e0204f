//! `ecom-ingest retain --ledger-days`: files leave the ledger and are still known.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use crate::fixture::program::{Ingest, program};
use crate::fixture::schema::database_with_schema;
use crate::fixture::{Database, HEADER, connect, database, drop_in, drop_in_text, eventually, line};
use crate::ingest;

const RETAIN: [&str; 5] = ["retain", "--days", "60000", "--ledger-days", "30"];
const BALANCE: &str = "SELECT * FROM ecom.ingest_balance ORDER BY pipeline";
const LEDGER: &str = "SELECT pipeline, path, generation FROM ecom.ingest_split ORDER BY 1, 2, 3";

/// Events without ids, with that user: their ids come from their place.
fn without_ids(user: &str) -> String {
    let event = format!("2026-11-01T12:00:00Z,view,{user},s,p\n");
    format!("event_time,event_type,user_id,session_id,product_id\n{event}{event}")
}

#[tokio::test]
async fn files_that_left_the_ledger_are_known_when_they_come_back() {
    let db = database().await;
    let root = tempfile::tempdir().unwrap();
    let (archive, kept) = (root.path().join("done"), tempfile::tempdir().unwrap());
    let input = tempfile::tempdir_in(root.path()).unwrap();
    let archiving = [
        "--once",
        "--unterminated-record",
        "store",
        "--archive",
        archive.to_str().unwrap(),
    ];
    let text = |numbers: std::ops::Range<u32>| -> String {
        [HEADER.to_owned()].into_iter().chain(numbers.map(line)).collect()
    };

    for (name, numbers) in [
        ("same", 0..100),
        ("moved", 100..200),
        ("grown", 200..300),
        ("other", 300..400),
    ] {
        drop_in(input.path(), &format!("{name}.csv"), numbers);
    }
    drop_in_text(input.path(), "bad.csv", format!("{}not,an,event\n", text(400..410)));
    drop_in_text(input.path(), "no-ids.csv", without_ids("first"));
    drop_in_text(input.path(), "no-end.csv", text(410..420).trim_end());
    Ingest::start(&db, &input, &archiving).succeed().await;
    drop_in(input.path(), "newest.csv", 420..430);
    Ingest::start(&db, &input, &archiving).succeed().await;
    // Its files stay where they are, and so does what the ledger knows of them.
    drop_in(kept.path(), "stays.csv", 500..510);
    Ingest::start(&db, &kept, &["--once", "--pipeline", "keeping"])
        .succeed()
        .await;

    let balance = db.ask(BALANCE).await;
    assert!(
        ingest(&db, &RETAIN).contains("took 0 files out of the ledger"),
        "none is old enough"
    );
    db.execute("UPDATE ecom.ingest_split SET finished_at = now() - interval '31 days'")
        .await;
    let would = ingest(&db, &[&RETAIN[..], &["--dry-run"]].concat());
    assert!(
        would.contains("would take 6 files out of the ledger that were finished more than 30 days ago"),
        "{would}"
    );
    assert_eq!(db.ask(LEDGER).await.len(), 9);
    let took = ingest(&db, &RETAIN);
    assert!(took.contains("took 6 files out of the ledger"), "{took}");
    let left = ["events|bad.csv|0", "events|newest.csv|0", "keeping|stays.csv|0"];
    assert_eq!(db.ask(LEDGER).await, left);
    assert_eq!(db.ask(BALANCE).await, balance);
    db.check_totals().await;
    let rows = db.rows().await;

    // The same bytes under the same name and under another; more behind them; other bytes.
    let back = |from: &str, to: &str| fs::rename(archive.join(from), input.path().join(to)).unwrap();
    back("same.csv", "same.csv");
    back("moved.csv", "renamed.csv");
    back("no-end.csv", "no-end.csv");
    let more: String = (700..705).map(line).collect();
    drop_in_text(input.path(), "grown.csv", text(200..300) + &more);
    drop_in(input.path(), "other.csv", 600..610);
    drop_in_text(input.path(), "no-ids.csv", without_ids("second"));
    let log = Ingest::start(&db, &input, &archiving).succeed().await;
    assert!(log.contains("17 records read"), "{log}");
    assert_eq!(db.rows().await, rows + 5 + 10 + 2, "{log}");
    let ledger = db.ask(LEDGER).await;
    for path in [
        "same.csv|0",
        "renamed.csv|0",
        "no-end.csv|0",
        "grown.csv|0",
        "other.csv|1",
        "no-ids.csv|1",
    ] {
        assert!(ledger.contains(&format!("events|{path}")), "{path}: {ledger:#?}");
    }
    let copies = "SELECT path FROM ecom.ingest_aliases WHERE copy_of ~ '^pruned:[0-9a-f]{16}$'";
    assert_eq!(db.ask(copies).await, ["renamed.csv"]);
    let numbers = "SELECT count(DISTINCT split_id) FROM ecom.events WHERE user_id IN ('first', 'second')";
    assert_eq!(db.number(numbers).await, 2, "a number of a split is not assigned again");
    let doubled = "SELECT count(*) - count(DISTINCT (split_id, record_no)) FROM ecom.events";
    assert_eq!(db.number(doubled).await, 0);
    db.check_totals().await;

    // Once its reject needs no more, the file leaves too; and again those that came back.
    db.execute(
        "UPDATE ecom.dead_letters SET resolved_at = now(), resolution = 'stored';
         UPDATE ecom.ingest_split SET finished_at = now() - interval '31 days'",
    )
    .await;
    let balance = db.ask(BALANCE).await;
    ingest(&db, &RETAIN);
    assert_eq!(
        db.number("SELECT count(*) FROM ecom.ingest_split WHERE pipeline = 'events'")
            .await,
        1
    );
    assert_eq!(db.ask(BALANCE).await, balance);
    assert_eq!(db.ask("SELECT path FROM ecom.dead_letters").await, ["bad.csv"]);
    fs::rename(archive.join("bad.csv"), input.path().join("bad.csv")).unwrap();
    let log = Ingest::start(&db, &input, &archiving).succeed().await;
    assert!(log.contains("0 records read"), "{log}");
}

/// A ledger of that many archived files, made by SQL.
async fn large_ledger(files: u32) -> Database {
    let db = database_with_schema().await;
    db.execute(&format!(
        "INSERT INTO ecom.ingest_pipeline (pipeline, sources, owns) VALUES ('p', '{{\"csv\": \"/in\"}}', '{{/in}}');
         INSERT INTO ecom.ingest_split (split_id, pipeline, source, path, state, read_offset, record_no, read, stored, finished_at,
             mark)
         SELECT 1000000000000 * p.pipeline_id + n, 'p', 'csv', n || '.csv', 'finished', 96, 1, 1, 1, '2020-01-01',
             json_build_object('size', 96, 'digest', encode(sha256(n::text::bytea), 'hex'))
         FROM generate_series(1, {files}) n, ecom.ingest_pipeline p"
    ))
    .await;
    db
}

#[tokio::test]
async fn pruning_goes_on_after_a_kill_and_skips_files_in_use() {
    let db = large_ledger(2_000).await;
    let balance = db.ask(BALANCE).await;
    let retain = Ingest::spawn(
        program()
            .args(RETAIN)
            .env("DATABASE_URL", &db.url)
            .env("ECOM_CRASH_AT", "maintenance.prune:2"),
    );
    let (status, log) = retain.end().await;
    assert!(status.signal().is_some(), "{status}: {log}");
    let left = "SELECT count(*) FROM ecom.ingest_split";
    assert_eq!(db.number(left).await, 1_000);
    assert_eq!(db.ask(BALANCE).await, balance);
    db.check_totals().await;

    // An epoch that holds a file and the sums of another pipeline keeps nothing from going on.
    let epoch = connect(&db.url).await;
    epoch
        .batch_execute(
            "BEGIN; UPDATE ecom.ingest_split SET read = read WHERE path = '1500.csv';
             INSERT INTO ecom.ingest_total (pipeline, pruned) VALUES ('other', false)",
        )
        .await
        .unwrap();
    let (waits, retain) = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        Ingest::spawn(program().args(RETAIN).env("DATABASE_URL", &db.url)),
    );
    eventually("a step that waits for the sums", async || db.number(waits).await == 1).await;
    epoch.batch_execute("COMMIT").await.unwrap();
    retain.succeed().await;
    assert_eq!(
        db.ask("SELECT path FROM ecom.ingest_split ORDER BY 1").await,
        ["1500.csv", "2000.csv"]
    );
    assert_eq!(db.number("SELECT count(*) FROM ecom.ingest_pruned").await, 1_998);
    assert_eq!(db.ask(BALANCE).await, balance);
    db.check_totals().await;
}

#[tokio::test]
async fn a_file_that_leaves_costs_a_few_blocks_and_then_takes_a_fifth_of_its_place() {
    let db = large_ledger(20_000).await;
    let size = async |table: &str| {
        db.number(&format!("SELECT pg_total_relation_size('ecom.{table}')"))
            .await
    };
    let before = size("ingest_split").await;
    let touched = "SELECT heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit FROM pg_statio_user_tables
                   WHERE relname = 'ingest_split'";
    let inserted = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'ingest_split'";
    eventually("the counts of the inserts", async || {
        db.number(inserted).await == 20_000
    })
    .await;
    let made = db.number(touched).await;
    ingest(&db, &RETAIN);
    // A session hands in its counts when it ends.
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                    AND application_name LIKE 'ecom %'";
    eventually("the end of the session", async || db.number(sessions).await == 0).await;
    let touched = db.number(touched).await - made;
    assert!(
        touched < 20_000 * 40,
        "{} blocks of the ledger a file",
        touched / 20_000
    );
    db.execute("VACUUM FULL ecom.ingest_split").await;
    let after = size("ingest_pruned").await;
    assert!(after < 20_000 * 200, "{} bytes a file", after / 20_000);
    assert!(size("ingest_split").await < before / 20);
}
