//! Loads files of the simulated shop that contain every kind of fault. The ledger, the dead letters and the table must be what the
//! manifest expects, record by record.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ecom_gen::{
    Delivery, Dirt, FaultKind, FileState, FilesSink, Manifest, Pace, Rate, RollingPolicy, Shop, ShopFiles, Totals,
};
use ecom_sink_pg::PgSink;
use ecom_sink_pg::server::PrivateServer;
use ecom_stream::{CsvDirSource, EventType, Rules, SourceExt, UnterminatedRecord};
use time::macros::datetime;
use tokio_postgres::{Client, NoTls};

const EVENTS: u64 = 210_000;

fn dirty_files() -> ShopFiles {
    // Enough copies that some are of events whose file was lost.
    let mut delivery = Delivery::heavy();
    (delivery.duplicate, delivery.altered) = (0.1, 0.05);
    let shop = Shop::builder(11, datetime!(2026-10-30 18:00 UTC))
        .rate(Rate::per_second(10.0).unwrap())
        .products(2_000)
        .delivery(delivery);
    let policy = RollingPolicy::default().every(Duration::from_secs(20)..=Duration::from_secs(60));
    let files = ShopFiles::new(shop).rolling(policy).dirt(Dirt::heavy()).manifest(true);
    files.pace(Pace::AsFastAsPossible).events(EVENTS)
}

async fn write(dir: &Path) {
    let summary = dirty_files().to(FilesSink::new(dir)).run().await.unwrap();
    assert!(summary.counts.stored > 200_000, "{:?}", summary.counts);
}

fn manifest(dir: &Path) -> (Manifest, Totals) {
    let manifest = Manifest::read(dir.join("events.manifest.jsonl")).unwrap();
    let total = manifest.total.clone().unwrap();
    for kind in FaultKind::OF_ROWS.iter().chain(&FaultKind::OF_FILES) {
        assert!(
            total.faults.get(kind).is_some_and(|count| *count >= 1),
            "the files contain no fault {kind:?}"
        );
    }
    for state in [FileState::Finished, FileState::Damaged, FileState::SetAside] {
        assert!(total.states[&state] >= 1, "{state:?}");
    }
    let statistics = &total.statistics;
    for count in [
        statistics.exact_copies,
        statistics.altered_copies,
        statistics.late,
        statistics.out_of_order,
    ] {
        assert!(count > 500, "{statistics:?}");
    }
    (manifest, total)
}

async fn server() -> (PrivateServer, Client) {
    let server = PrivateServer::builder().temporary().setting("fsync", "off").start();
    let server = server.await.expect("the tests need PostgreSQL's server programs");
    let (client, connection) = tokio_postgres::connect(server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    (server, client)
}

/// A dead letter: path, record number, byte offset, reason.
type DeadLetter = (String, i64, i64, String);

fn expected_dead_letters(manifest: &Manifest) -> Vec<DeadLetter> {
    let mut letters = Vec::new();
    for file in &manifest.files {
        for fault in &file.faults {
            // The record at which a file is damaged is not a dead letter: reading stops before it.
            if let (Some(record), Some(offset), Some(reason)) = (fault.record, fault.byte_offset, &fault.reason)
                && fault.kind != FaultKind::UnterminatedQuote
            {
                letters.push((file.name.clone(), record as i64, offset as i64, reason.clone()));
            }
        }
    }
    letters.sort();
    letters
}

/// The dead letters in the database. Asserts that the bytes of each are those at its offset in the file.
async fn dead_letters(client: &Client, dir: &Path) -> Vec<DeadLetter> {
    let sql = "SELECT path, record_no, byte_offset, reason, raw FROM ecom.dead_letters";
    let mut texts = BTreeMap::new();
    let mut letters = Vec::new();
    for row in client.query(sql, &[]).await.unwrap() {
        let (path, offset): (String, i64) = (row.get("path"), row.get("byte_offset"));
        let text = texts
            .entry(path.clone())
            .or_insert_with(|| fs::read(dir.join(&path)).unwrap());
        let line = text[offset as usize..].split(|byte| *byte == b'\n').next().unwrap();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert_eq!(row.get::<_, &[u8]>("raw"), line, "{path} at {offset}");
        letters.push((path, row.get("record_no"), offset, row.get("reason")));
    }
    letters.sort();
    letters
}

/// The name of a state in the ledger.
fn state_of(state: FileState) -> &'static str {
    match state {
        FileState::Finished => "finished",
        FileState::Damaged => "damaged",
        FileState::SetAside => "set_aside",
        other => panic!("{other:?}"),
    }
}

async fn assert_table(client: &Client, total: &Totals) {
    for event_type in EventType::ALL {
        let sql = "SELECT count(*) FROM ecom.events WHERE event_type = $1";
        let count = client.query_one(sql, &[&event_type.as_str()]).await.unwrap();
        assert_eq!(
            count.get::<_, i64>(0) as u64,
            total.statistics.in_table.of(event_type),
            "{event_type}"
        );
    }
    let sql = "SELECT count(DISTINCT user_id) FROM ecom.events";
    let users = client.query_one(sql, &[]).await.unwrap();
    assert_eq!(users.get::<_, i64>(0) as u64, total.users);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingest_stores_and_rejects_what_the_manifest_expects() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path()).await;
    let (manifest, total) = manifest(dir.path());
    let (server, client) = server().await;
    let ingest = CsvDirSource::new(dir.path())
        .unterminated_record(UnterminatedRecord::Store)
        .available_now(true)
        .validate(Rules::default())
        .stamp()
        .to(PgSink::from_url(server.url()).unwrap());
    let summary = ingest.run().await.unwrap();
    let expected = total.statistics.expected;
    let counts = summary.counts;
    assert_eq!(
        (counts.read, counts.stored, counts.duplicates, counts.rejected),
        (expected.read, expected.stored, expected.duplicates, expected.rejected)
    );

    let sql = "SELECT path, state, reason, read, stored, duplicates, rejected, filtered, generation \
               FROM ecom.ingest_split ORDER BY path";
    let splits = client.query(sql, &[]).await.unwrap();
    assert_eq!(splits.len() as u64, total.files);
    assert!(splits.len() > 300);
    for (split, file) in splits.iter().zip(&manifest.files) {
        let count = |name: &str| split.get::<_, i64>(name) as u64;
        let path: &str = split.get("path");
        assert_eq!(path, file.name);
        assert_eq!(split.get::<_, &str>("state"), state_of(file.state), "{path}");
        assert_eq!(split.get::<_, Option<&str>>("reason"), file.reason.as_deref(), "{path}");
        let expected = file.statistics.expected;
        assert_eq!(
            (
                count("read"),
                count("stored"),
                count("duplicates"),
                count("rejected"),
                count("filtered")
            ),
            (
                expected.read,
                expected.stored,
                expected.duplicates,
                expected.rejected,
                0
            ),
            "{path}: {:?}",
            file.faults
        );
        assert_eq!(split.get::<_, i32>("generation"), 0, "{path}");
        assert_eq!(fs::metadata(dir.path().join(path)).unwrap().len(), file.bytes, "{path}");
    }

    let (found, expected) = (
        dead_letters(&client, dir.path()).await,
        expected_dead_letters(&manifest),
    );
    let difference = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    assert_eq!((difference, found.len()), (None, expected.len()));
    assert_table(&client, &total).await;
    let sql = "SELECT coalesce(sum(price * quantity), 0)::text FROM ecom.events WHERE event_type = 'purchase'";
    let revenue = client.query_one(sql, &[]).await.unwrap();
    assert_eq!(revenue.get::<_, &str>(0), total.statistics.revenue.to_string());
}

/// Waits until `is_true` holds, which has no other limit than the test's own time.
async fn wait_until(what: &str, is_true: impl AsyncFn() -> bool) {
    for _ in 0..6_000 {
        if is_true().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain: {what}");
}

/// Whether the newest generation of each file is as the manifest says, in size and state.
async fn is_read_whole(client: &Client, manifest: &Manifest) -> bool {
    let sql = "SELECT DISTINCT ON (path) path, size, state FROM ecom.ingest_split ORDER BY path, generation DESC";
    let rows = client.query(sql, &[]).await.unwrap();
    let read: BTreeMap<String, (Option<i64>, String)> = rows
        .iter()
        .map(|row| (row.get("path"), (row.get("size"), row.get("state"))))
        .collect();
    manifest.files.iter().all(|file| {
        read.get(&file.name).is_some_and(|(size, state)| {
            let is_whole = *size == Some(file.bytes as i64) || file.state != FileState::Finished;
            is_whole && state == state_of(file.state)
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingest_that_runs_while_files_are_written_has_the_same_result() {
    let dir = tempfile::tempdir().unwrap();
    let (server, client) = server().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let ingest = CsvDirSource::new(dir.path())
        .unterminated_record(UnterminatedRecord::Store)
        .validate(Rules::default())
        .stamp()
        .to(PgSink::from_url(server.url()).unwrap());
    let ingest = tokio::spawn(ingest.run_until(async {
        let _ = stopped.await;
    }));
    let sql = "SELECT to_regclass('ecom.ingest_split') IS NOT NULL";
    wait_until("the schema is there", async || {
        client.query_one(sql, &[]).await.unwrap().get(0)
    })
    .await;
    // The second version of a file is written when the first has been read, so that both are read.
    let (client, runtime) = (Arc::new(client), tokio::runtime::Handle::current());
    let waiting = client.clone();
    let files = dirty_files().inspect(move |batch| {
        for part in batch
            .records
            .iter()
            .map(|record| &record.value)
            .filter(|part| part.version == 2)
        {
            let number = format!("%{:06}.csv", part.file);
            let sql = "SELECT EXISTS (SELECT FROM ecom.ingest_split WHERE path LIKE $1 AND state = 'finished')";
            let is_read = async || waiting.query_one(sql, &[&number]).await.unwrap().get(0);
            let read = wait_until("the first version of a file is read", is_read);
            tokio::task::block_in_place(|| runtime.block_on(read));
        }
    });
    files.to(FilesSink::new(dir.path())).run().await.unwrap();
    let (manifest, total) = manifest(dir.path());
    wait_until("the last version of each file is read", async || {
        is_read_whole(&client, &manifest).await
    })
    .await;
    stop.send(()).unwrap();
    let summary = ingest.await.unwrap().unwrap();
    assert!(summary.counts.is_balanced());
    let (found, expected) = (
        dead_letters(&client, dir.path()).await,
        expected_dead_letters(&manifest),
    );
    let difference = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    assert_eq!((difference, found.len()), (None, expected.len()));
    assert_table(&client, &total).await;
    let sql = "SELECT count(*) FROM ecom.ingest_split WHERE generation > 0";
    let again: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(
        again as u64,
        total.faults[&FaultKind::Rewritten],
        "each rewritten file was read twice"
    );
}
