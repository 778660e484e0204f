//! The program ecom-ingest: real processes, real signals, a real server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and shows its seed"
)]

mod fixture;

use std::process::{Command, Stdio};
use std::time::Duration;

use ecom_sink_pg::server::Shutdown;
use fixture::program::{Ingest, once};
use fixture::{Database, HEADER, database, database_on, drop_in, drop_in_text, eventually, line, start_server};
use rustix::process::Signal;
use tempfile::TempDir;

#[tokio::test]
async fn a_backlog_is_loaded_once_however_often_it_is_run() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    for file in 0..20 {
        drop_in(input.path(), &format!("{file}.csv"), file * 500..(file + 1) * 500);
    }
    let log = once(&database, &input).await;
    assert!(log.contains("10000 stored"), "{log}");
    assert_eq!(database.rows().await, 10_000);
    let log = once(&database, &input).await;
    assert!(log.contains("0 records read"), "{log}");
    assert_eq!(database.rows().await, 10_000);
    database.check_balance().await;

    // The same events under another name are duplicates, counted as such.
    drop_in(input.path(), "again.csv", 0..700);
    let log = once(&database, &input).await;
    assert!(log.contains("0 stored, 700 duplicates"), "{log}");
    assert_eq!(database.rows().await, 10_000);
    database.check_balance().await;
}

#[tokio::test]
async fn every_bad_record_is_a_dead_letter_and_its_neighbours_are_stored() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let good = line(1);
    let time = "2026-11-01T12:00:00Z";
    let (id65, text257) = ("x".repeat(65), "x".repeat(257));
    let bad: Vec<(&str, Vec<u8>)> = [
        ("field_count", "1,2,3".to_owned()),
        ("text_after_quote", format!("1,{time},view,u,s,p,\"n\"x,c,b,1,1")),
        (
            "field_too_large",
            format!("1,{time},view,u,s,p,{},c,b,1,1", "x".repeat((1 << 20) + 1)),
        ),
        ("nul_byte", format!("1,{time},view,u,s,p,n\0,c,b,1,1")),
        ("event_time_missing", "1,,view,u,s,p,n,c,b,1,1".to_owned()),
        ("event_time_malformed", "1,now,view,u,s,p,n,c,b,1,1".to_owned()),
        (
            "event_time_out_of_range",
            "1,1970-01-01T00:00:00Z,view,u,s,p,n,c,b,1,1".to_owned(),
        ),
        ("event_type_missing", format!("1,{time},,u,s,p,n,c,b,1,1")),
        ("event_type_unknown", format!("1,{time},wish,u,s,p,n,c,b,1,1")),
        ("user_id_missing", format!("1,{time},view,,s,p,n,c,b,1,1")),
        ("user_id_too_long", format!("1,{time},view,{id65},s,p,n,c,b,1,1")),
        ("session_id_missing", format!("1,{time},view,u,,p,n,c,b,1,1")),
        ("session_id_too_long", format!("1,{time},view,u,{id65},p,n,c,b,1,1")),
        ("product_id_missing", format!("1,{time},view,u,s,,n,c,b,1,1")),
        ("product_id_too_long", format!("1,{time},view,u,s,{id65},n,c,b,1,1")),
        (
            "product_name_too_long",
            format!("1,{time},view,u,s,p,{text257},c,b,1,1"),
        ),
        ("category_too_long", format!("1,{time},view,u,s,p,n,{text257},b,1,1")),
        ("brand_too_long", format!("1,{time},view,u,s,p,n,c,{text257},1,1")),
        ("price_missing", format!("1,{time},purchase,u,s,p,n,c,b,,1")),
        ("price_malformed", format!("1,{time},view,u,s,p,n,c,b,NaN,1")),
        ("price_negative", format!("1,{time},view,u,s,p,n,c,b,-0.01,1")),
        ("price_inexact", format!("1,{time},view,u,s,p,n,c,b,0.001,1")),
        ("price_out_of_range", format!("1,{time},view,u,s,p,n,c,b,10000000000,1")),
        ("quantity_malformed", format!("1,{time},view,u,s,p,n,c,b,1,one")),
        ("quantity_out_of_range", format!("1,{time},view,u,s,p,n,c,b,1,0")),
    ]
    .into_iter()
    .map(|(reason, text)| (reason, text.into_bytes()))
    .chain([(
        "invalid_utf8",
        b"1,2026-11-01T12:00:00Z,view,\xff,s,p,n,c,b,1,1".to_vec(),
    )])
    .collect();

    let mut text = HEADER.as_bytes().to_vec();
    let mut offsets = Vec::new();
    for (n, (_, line_of_bad)) in bad.iter().enumerate() {
        text.extend_from_slice(line(n as u32).as_bytes());
        offsets.push(text.len() as i64);
        text.extend_from_slice(line_of_bad);
        text.push(b'\n');
    }
    text.extend_from_slice(good.replace("00000001,", "0000ffff,").as_bytes());
    drop_in_text(input.path(), "bad.csv", &text);
    once(&database, &input).await;

    let sql = "SELECT path, record_no, byte_offset, reason, raw, raw_text FROM ecom.dead_letters ORDER BY record_no";
    let letters = database.client.query(sql, &[]).await.unwrap();
    assert_eq!(letters.len(), bad.len());
    for (n, (letter, (reason, raw))) in letters.iter().zip(&bad).enumerate() {
        assert_eq!(letter.get::<_, &str>("reason"), *reason);
        assert_eq!(letter.get::<_, &str>("path"), "bad.csv");
        assert_eq!(letter.get::<_, i64>("record_no"), 2 * n as i64 + 2, "{reason}");
        assert_eq!(letter.get::<_, i64>("byte_offset"), offsets[n], "{reason}");
        let kept = &raw[..raw.len().min(64 << 10)];
        assert_eq!(letter.get::<_, &[u8]>("raw"), kept, "{reason}");
        let readable = String::from_utf8_lossy(kept).replace('\0', "\u{fffd}");
        assert_eq!(letter.get::<_, &str>("raw_text"), readable, "{reason}");
    }
    assert_eq!(database.rows().await, bad.len() as i64 + 1);
    database.check_balance().await;
}

#[tokio::test]
async fn new_files_are_loaded_while_it_runs_and_sigterm_stops_it() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let ingest = Ingest::start(&database, &input, &[]);
    drop_in(input.path(), "renamed.csv", 0..100);
    let in_place: String = std::iter::once(HEADER.to_owned()).chain((100..200).map(line)).collect();
    std::fs::write(input.path().join("in place.csv"), in_place).unwrap();
    eventually("both files", async || {
        tables_exist(&database).await && database.rows().await == 200
    })
    .await;
    for file in 0..100 {
        drop_in(
            input.path(),
            &format!("more-{file}.csv"),
            200 + file * 100..300 + file * 100,
        );
        if file == 50 {
            ingest.signal(Signal::TERM);
        }
    }
    let log = ingest.succeed().await;
    assert!(log.contains("stopped: "), "{log}");
    database.check_balance().await;
    once(&database, &input).await;
    assert_eq!(database.rows().await, 10_200);
    database.check_balance().await;
}

async fn tables_exist(database: &Database) -> bool {
    database
        .row("SELECT to_regclass('ecom.ingest_pipeline') IS NOT NULL")
        .await
        .get(0)
}

#[tokio::test]
async fn killed_at_random_moments_it_loses_nothing_and_doubles_nothing() {
    const KILLS: u32 = 24;
    const FILES: u32 = 30;
    const ROWS_PER_FILE: u32 = 5_000;
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let archive = tempfile::tempdir_in(input.path().parent().unwrap()).unwrap();
    let archived = ["--archive", archive.path().to_str().unwrap()];
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let epoch = async || match tables_exist(&database).await {
        true => {
            database
                .number("SELECT coalesce(max(epoch), 0) FROM ecom.ingest_pipeline")
                .await
        }
        false => 0,
    };
    let mut file = 0;
    for kill in 0..KILLS {
        // Always more than it can load before it is killed.
        while file < FILES.min(kill + 5) {
            drop_in(
                input.path(),
                &format!("{file}.csv"),
                file * ROWS_PER_FILE..(file + 1) * ROWS_PER_FILE,
            );
            file += 1;
        }
        let before = epoch().await;
        let mut ingest = Ingest::start(&database, &input, &archived);
        // Every third is killed anywhere, start-up included; the others soon after a commit, with the next one under way.
        if kill % 3 > 0 {
            eventually("a commit", async || epoch().await > before).await;
        }
        tokio::time::sleep(Duration::from_millis(random.u64(0..[400, 60, 15][kill as usize % 3]))).await;
        assert!(
            ingest.process.try_wait().unwrap().is_none(),
            "it must be killed, not end by itself"
        );
        ingest.signal(Signal::KILL);
        ingest.end().await;
    }
    Ingest::start(&database, &input, &["--once", archived[0], archived[1]])
        .succeed()
        .await;
    assert_eq!(database.rows().await, i64::from(file * ROWS_PER_FILE));
    assert_eq!(
        database
            .number("SELECT count(DISTINCT event_id) FROM ecom.events")
            .await,
        database.rows().await
    );
    database.check_balance().await;
    let files = |dir: &TempDir| std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!((files(&input), files(&archive)), (0, file as usize));
}

#[tokio::test]
async fn the_server_may_restart_during_a_run() {
    let server = start_server().await;
    let database = database_on(&server).await;
    let input = tempfile::tempdir().unwrap();
    let ingest = Ingest::start(&database, &input, &[]);
    let mut file = 0;
    for shutdown in [Shutdown::Fast, Shutdown::Immediate, Shutdown::Kill] {
        for _ in 0..10 {
            drop_in(input.path(), &format!("{file}.csv"), file * 1_000..(file + 1) * 1_000);
            file += 1;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
        server.stop(shutdown).await.unwrap();
        drop_in(input.path(), &format!("{file}.csv"), file * 1_000..(file + 1) * 1_000);
        file += 1;
        server.start().await.unwrap();
    }
    let rows = i64::from(file) * 1_000;
    let client = fixture::connect(&database.url).await;
    let database = Database { client, ..database };
    eventually("every row", async || {
        tables_exist(&database).await && database.rows().await == rows
    })
    .await;
    ingest.signal(Signal::INT);
    ingest.succeed().await;
    database.check_balance().await;
}

#[tokio::test]
async fn a_log_that_nobody_reads_does_not_block_the_ingest() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecom-ingest"));
    command
        .args(["run", "--input"])
        .arg(input.path())
        .env("DATABASE_URL", &database.url);
    // Far more than a pipe holds.
    let mut ingest = command.env("RUST_LOG", "trace").stderr(Stdio::piped()).spawn().unwrap();
    for file in 0..200 {
        drop_in(input.path(), &format!("{file}.csv"), file * 10..(file + 1) * 10);
    }
    eventually("every row", async || {
        tables_exist(&database).await && database.rows().await == 2_000
    })
    .await;
    ingest.kill().unwrap();
    ingest.wait().unwrap();
    database.check_balance().await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (mut database, input) = (database().await, tempfile::tempdir().unwrap());
    drop_in(input.path(), "a.csv", 0..100);
    once(&database, &input).await;
    // What was read can't be committed, so that the first signal alone would be waited for.
    let held = database.client.transaction().await.unwrap();
    held.batch_execute("LOCK TABLE ecom.events IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let ingest = Ingest::start_at(&database.url, &input, &[]);
    drop_in(input.path(), "b.csv", 100..200);
    eventually("an epoch that waits", async || ingest.log().contains("trying again")).await;
    ingest.signal(Signal::TERM);
    eventually("the first signal", async || ingest.log().contains("stopping")).await;
    ingest.signal(Signal::TERM);
    let (status, log) = ingest.end().await;
    assert_eq!(status.code(), Some(130), "{log}");
    held.rollback().await.unwrap();
    assert_eq!(database.rows().await, 100);
    once(&database, &input).await;
    assert_eq!(database.rows().await, 200);
    database.check_balance().await;
}

#[tokio::test]
async fn each_kind_of_mistake_has_its_exit_code() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let failing = async |url: &str, input: &TempDir, more: &[&str]| {
        let (status, log) = Ingest::start_at(url, input, more).end().await;
        (status.code().unwrap(), log)
    };
    let (code, log) = failing("postgresql://u:canary@/x?nonsense=1", &input, &[]).await;
    assert!(code == 3 && !log.contains("canary"), "{code} {log}");
    for url in [
        "",
        "postgresql://u@h/x?password=a&canary=1",
        "postgresql://u:canary@h/x?sslmode=sometimes",
    ] {
        let (code, log) = failing(url, &input, &[]).await;
        assert!(code == 3 && !log.contains("canary"), "{url:?}: {code} {log}");
    }
    let (code, log) = failing("postgresql://u:canary@/x?host=/nonexistent", &input, &["--wait", "0s"]).await;
    assert!(code == 5 && !log.contains("canary"), "{code} {log}");

    // A mistyped directory leaves nothing behind that stands in the way of the right one.
    let not_there = input.path().join("not there");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecom-ingest"));
    command
        .args(["run", "--once", "--input"])
        .arg(&not_there)
        .env("DATABASE_URL", &database.url);
    assert_eq!(command.output().unwrap().status.code(), Some(3));

    once(&database, &input).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (code, log) = failing(&database.url, &elsewhere, &["--once"]).await;
    assert!(
        code == 3 && log.contains("--moved") && log.contains("--pipeline"),
        "{code} {log}"
    );
    Ingest::start(&database, &elsewhere, &["--once", "--moved"])
        .succeed()
        .await;

    let inside = elsewhere.path().join("done");
    let archive = inside.to_str().unwrap();
    let (code, log) = failing(&database.url, &elsewhere, &["--once", "--archive", archive]).await;
    assert!(code == 3 && log.contains("inside"), "{code} {log}");

    database
        .client
        .batch_execute("ALTER TABLE ecom.events RENAME brand TO label")
        .await
        .unwrap();
    let (code, log) = failing(&database.url, &elsewhere, &["--once"]).await;
    assert!(code == 4 && log.contains("brand"), "{code} {log}");
}
