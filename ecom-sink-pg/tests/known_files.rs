//! The files in the ledger: renamed files and copies are recognized, and only one pipeline may remove files from a directory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use ecom_sink_pg::PgSink;
use ecom_stream::{AfterCommit, CsvDirSource, ErrorKind, Result, Rules, SourceExt, Summary};
use fixture::{Database, HEADER, database, drop_in, drop_in_text, eventually, line};
use tempfile::TempDir;

async fn load(database: &Database, pipeline: &str, source: CsvDirSource) -> Result<Summary> {
    let sink = PgSink::from_url(&database.url)?.pipeline(pipeline);
    source.validate(Rules::default()).stamp().to(sink).run().await
}

async fn once(database: &Database, dir: &TempDir) -> Summary {
    let source = CsvDirSource::new(dir.path()).settle_for(Duration::from_millis(100));
    load(database, "events", source.available_now(true)).await.unwrap()
}

async fn aliases(database: &Database) -> Vec<(String, Option<String>, Option<String>)> {
    let sql = "SELECT path, copy_of, renamed_to FROM ecom.ingest_aliases ORDER BY path";
    let rows = database.client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[tokio::test]
async fn copies_and_renamed_files_are_found_in_the_ledger() {
    let (database, dir) = (database().await, tempfile::tempdir().unwrap());
    drop_in(dir.path(), "a.csv", 0..100);
    drop_in(dir.path(), "copy.csv", 0..100);
    drop_in(dir.path(), "other.csv", 100..200);
    assert_eq!(once(&database, &dir).await.counts.stored, 200);
    drop_in(dir.path(), "late.csv", 0..100);

    // A file whose writer still has it open when the first run ends.
    let next = line(202);
    let (begun, rest) = next.split_at(20);
    let path = dir.path().join("growing.csv");
    fs::write(&path, format!("{HEADER}{}{}{begun}", line(200), line(201))).unwrap();
    let source = CsvDirSource::new(dir.path()).settle_for(Duration::from_secs(600));
    let sink = PgSink::from_url(&database.url).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let pipeline = source.validate(Rules::default()).stamp().to(sink);
    let running = tokio::spawn(pipeline.run_until(async {
        let _ = stopped.await;
    }));
    eventually("the whole records", async || {
        drop(OpenOptions::new().append(true).open(&path).unwrap());
        database.rows().await == 202
    })
    .await;
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();

    fs::rename(&path, dir.path().join("grown.csv")).unwrap();
    let mut file = OpenOptions::new()
        .append(true)
        .open(dir.path().join("grown.csv"))
        .unwrap();
    file.write_all(rest.as_bytes()).unwrap();
    drop(file);
    assert_eq!(once(&database, &dir).await.counts.read, 1);
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(
        aliases(&database).await,
        [
            ("copy.csv".into(), name("a.csv"), None),
            ("growing.csv".into(), None, name("grown.csv")),
            ("late.csv".into(), name("a.csv"), None)
        ]
    );
    assert_eq!(database.rows().await, 203);
    assert_eq!(once(&database, &dir).await.counts.read, 0);
}

#[tokio::test]
async fn a_directory_that_one_pipeline_empties_is_refused_to_others() {
    let (database, dir) = (database().await, tempfile::tempdir().unwrap());
    let root = tempfile::tempdir().unwrap();
    let archive = AfterCommit::Archive(root.path().join("done"));
    let source = || CsvDirSource::new(dir.path()).available_now(true);
    let emptying = || source().after_commit(archive.clone());
    drop_in_text(dir.path(), "a.csv", format!("{HEADER}{}", line(1)));

    load(&database, "reader", source()).await.unwrap();
    for taking in [emptying(), source().after_commit(AfterCommit::Delete)] {
        let err = load(&database, "owner", taking).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Configuration);
        assert!(err.to_string().contains("pipeline \"reader\" also reads"), "{err}");
    }
    assert!(dir.path().join("a.csv").exists());

    // What the message advises for a pipeline that is gone.
    let forget = "UPDATE ecom.ingest_pipeline SET sources = '{}', owns = '{}' WHERE pipeline = 'reader'";
    database.client.batch_execute(forget).await.unwrap();
    load(&database, "owner", emptying()).await.unwrap();
    assert!(!dir.path().join("a.csv").exists());
    let err = load(&database, "reader", source()).await.unwrap_err();
    assert!(
        err.to_string()
            .contains("pipeline \"owner\" archives or deletes the files"),
        "{err}"
    );

    // It gives the directory free when it leaves the files.
    load(&database, "owner", source()).await.unwrap();
    load(&database, "reader", source()).await.unwrap();
}

/// What a pipeline reads, and what becomes of it.
fn reading(dir: &Path, recursive: bool, after_commit: AfterCommit) -> CsvDirSource {
    let source = CsvDirSource::new(dir).recursive(recursive).after_commit(after_commit);
    source.available_now(true)
}

/// Runs two pipelines on a new database, one after the other. Gives why the second one is refused, if it is, both when the
/// first one to start is `one`, and when it is `other`.
async fn refusals(one: &CsvDirSource, other: &CsvDirSource) -> [Option<String>; 2] {
    let mut refusals = [None, None];
    for (refusal, (first, second)) in refusals.iter_mut().zip([(one, other), (other, one)]) {
        let database = database().await;
        load(&database, "first", first.clone()).await.unwrap();
        if let Err(err) = load(&database, "second", second.clone()).await {
            assert_eq!(err.kind(), ErrorKind::Configuration);
            *refusal = Some(err.report());
        }
    }
    refusals
}

#[tokio::test]
async fn directories_inside_each_other_are_refused_if_files_would_be_taken() {
    use AfterCommit::{Archive, Delete, Keep};

    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().canonicalize().unwrap().join(name);
    for dir in ["data/sub/deep", "database"] {
        fs::create_dir_all(at(dir)).unwrap();
    }
    symlink(at("data/sub"), at("link")).unwrap();
    let (data, sub, link) = (&*at("data"), &*at("data/sub"), &*at("link"));
    let cases = [
        (
            "the sub-directory is read",
            reading(data, true, Delete),
            reading(sub, false, Keep),
            true,
        ),
        (
            "under another name",
            reading(data, true, Delete),
            reading(link, false, Keep),
            true,
        ),
        (
            "the sub-directory is emptied",
            reading(data, true, Keep),
            reading(sub, false, Delete),
            true,
        ),
        (
            "both are emptied",
            reading(data, true, Delete),
            reading(link, true, Archive(at("done"))),
            true,
        ),
        (
            "it is not recursive",
            reading(data, false, Delete),
            reading(sub, true, Keep),
            false,
        ),
        (
            "nor is the one that reads",
            reading(data, false, Keep),
            reading(link, false, Delete),
            false,
        ),
        (
            "nothing is emptied",
            reading(data, true, Keep),
            reading(sub, true, Keep),
            false,
        ),
        (
            "a longer name is none inside",
            reading(data, true, Delete),
            reading(&at("database"), true, Keep),
            false,
        ),
        (
            "the archive is read",
            reading(sub, false, Archive(at("database"))),
            reading(&at("database"), false, Keep),
            true,
        ),
        (
            "the archive is inside",
            reading(&at("database"), false, Archive(at("link/new"))),
            reading(data, true, Keep),
            true,
        ),
        (
            "and is not read",
            reading(&at("database"), false, Archive(at("link/newer"))),
            reading(data, false, Keep),
            false,
        ),
    ];
    for (what, one, other, refused) in cases {
        for refusal in refusals(&one, &other).await {
            assert_eq!(refusal.is_some(), refused, "{what}: {refusal:?}");
            let Some(message) = refusal else { continue };
            let [first, second] = ["first", "second"].map(|name| format!("pipeline {name:?}"));
            assert!(
                message.contains(&first) && message.contains(&second),
                "{what}: {message}"
            );
            assert!(message.contains("directories of its own"), "{what}: {message}");
        }
    }
    let [message, reverse] = refusals(&reading(data, true, Delete), &reading(link, false, Keep)).await;
    let expected = format!(
        "pipeline \"first\" archives or deletes the files in {} and its subdirectories, so pipeline \"second\" may not read {}",
        data.display(),
        sub.display()
    );
    assert!(message.as_ref().unwrap().starts_with(&expected), "{message:?}");
    let expected = format!(
        "pipeline \"first\" also reads {}, so pipeline \"second\" may not archive or delete the files in {} and its \
         subdirectories",
        sub.display(),
        data.display()
    );
    assert!(reverse.as_ref().unwrap().starts_with(&expected), "{reverse:?}");
}

#[tokio::test]
async fn a_directory_is_known_again_after_it_was_renamed_and_another_one_was_created() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::create_dir(at("data")).unwrap();
    let database = database().await;
    load(&database, "reader", reading(&at("data"), false, AfterCommit::Keep))
        .await
        .unwrap();
    fs::rename(at("data"), at("renamed")).unwrap();
    fs::create_dir(at("data")).unwrap();
    for (name, alias) in [("renamed", true), ("data", false)] {
        let emptying = reading(&at(name), false, AfterCommit::Delete);
        let message = load(&database, "owner", emptying).await.unwrap_err().report();
        assert!(message.contains("pipeline \"reader\" also reads"), "{message}");
        assert_eq!(message.contains("under two names"), alias, "{message}");
    }
    // The pipeline that reads it may move, and then nothing is known of the old place.
    let sink = PgSink::from_url(&database.url).unwrap().pipeline("reader").moved(true);
    let moved = reading(&at("data"), false, AfterCommit::Keep);
    moved.validate(Rules::default()).stamp().to(sink).run().await.unwrap();
    load(&database, "owner", reading(&at("renamed"), false, AfterCommit::Delete))
        .await
        .unwrap();
}

/// What an earlier version has written says nothing about subdirectories, inodes and machines.
#[tokio::test]
async fn rows_of_an_earlier_version_are_compared_by_location() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("data/sub")).unwrap();
    let (data, sub) = (root.path().join("data"), root.path().join("data/sub"));
    let database = database().await;
    let emptying = || reading(&data, true, AfterCommit::Delete);
    load(&database, "owner", emptying()).await.unwrap();
    let earlier = "UPDATE ecom.ingest_pipeline SET directories = DEFAULT";
    database.client.batch_execute(earlier).await.unwrap();
    let reads = |dir: &Path| reading(dir, false, AfterCommit::Keep);
    load(&database, "reader", reads(&data)).await.unwrap_err();
    load(&database, "reader", reads(&sub)).await.unwrap();
    // The first start of the new version finds what was not known.
    let message = load(&database, "owner", emptying()).await.unwrap_err().report();
    assert!(message.contains("pipeline \"reader\" also reads"), "{message}");
}

/// As the server sees it, any size is likely to be that of the first row that it reads.
#[tokio::test]
async fn a_ledger_of_files_of_one_size_is_not_read_for_a_file_of_another() {
    let mut database = database().await;
    ecom_sink_pg::schema::apply(&mut database.client).await.unwrap();
    let many = "
        INSERT INTO ecom.ingest_split (split_id, pipeline, source, path, state, read_offset, finished_at, mark)
        SELECT 9000000000000 + n, 'events', 'csv', n || '.csv', 'finished', 96, now(), '{\"size\": 96}'
        FROM generate_series(1, 20000) AS n;
        ANALYZE ecom.ingest_split";
    database.client.batch_execute(many).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    for n in 0..20 {
        drop_in(dir.path(), &format!("new-{n}.csv"), n * 100..n * 101 + 1);
    }
    once(&database, &dir).await;
    // Sessions tell what they did when they end.
    eventually("what the sessions did", async || {
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ecom %'
                        AND datname = current_database()";
        database.number(sessions).await == 0
    })
    .await;
    let read = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'ingest_split'";
    let read = database.number(read).await;
    assert!(read < 20_000, "{read} rows of the ledger were read one after the other");
}

/// How many rows of the ledger's table were read by one of its indexes. Sessions tell when they end.
async fn rows_read_by_index(database: &Database) -> i64 {
    eventually("what the sessions did", async || {
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ecom %'
                        AND datname = current_database()";
        database.number(sessions).await == 0
    })
    .await;
    let sql = "SELECT sum(idx_tup_read)::int8 FROM pg_stat_user_indexes WHERE relname = 'ingest_split'";
    database.number(sql).await
}

/// How much of the ledger's table and indexes a run reads that finds so many files of one record each: rows by an index, and
/// blocks. The server has no statistics of the ledger, as when it grew within a minute.
async fn reads_for(files: u32) -> (i64, i64) {
    let mut database = database().await;
    ecom_sink_pg::schema::apply(&mut database.client).await.unwrap();
    let growing = "ALTER TABLE ecom.ingest_split SET (autovacuum_enabled = off)";
    database.client.batch_execute(growing).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    for n in 0..files {
        drop_in(dir.path(), &format!("{n}.csv"), n..n + 1);
    }
    assert_eq!(once(&database, &dir).await.counts.stored, u64::from(files));
    let rows = rows_read_by_index(&database).await;
    let sql = "SELECT heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit
               FROM pg_statio_user_tables WHERE relname = 'ingest_split'";
    (rows, database.number(sql).await)
}

#[tokio::test]
async fn each_file_costs_the_ledger_the_same_however_many_there_are() {
    let (_, few) = reads_for(500).await;
    let (rows, many) = reads_for(4_000).await;
    assert!(rows <= 4 * 4_000, "{rows} rows of the ledger were read for 4,000 files");
    // A larger index has a level more.
    assert!(many <= 2 * 8 * few, "{few} blocks for 500 files, {many} for 4,000");
}

#[tokio::test]
async fn a_copy_is_recognized_without_reading_all_earlier_ones() {
    let (database, dir) = (database().await, tempfile::tempdir().unwrap());
    drop_in(dir.path(), "a.csv", 0..10);
    once(&database, &dir).await;
    let copies = "
        INSERT INTO ecom.ingest_split (split_id, pipeline, source, path, state, read_offset, record_no, finished_at, mark)
        SELECT split_id + n, pipeline, source, n || '.csv', state, read_offset, record_no, now(), mark
        FROM ecom.ingest_split, generate_series(1, 20000) n";
    database.client.batch_execute(copies).await.unwrap();
    for n in 0..20 {
        drop_in(dir.path(), &format!("new-{n}.csv"), 0..10);
    }
    assert_eq!(once(&database, &dir).await.counts.read, 0);
    let rows = rows_read_by_index(&database).await;
    assert!(rows < 20_000, "{rows} rows of the ledger were read");
}
