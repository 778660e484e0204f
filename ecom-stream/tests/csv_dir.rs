//! The CSV directory source with real files and a sink in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::fs::{self};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use ecom_stream::memory::MemorySink;
use ecom_stream::{
    AfterCommit, Checkpoint, Columns, CsvDirSource, CsvLimits, CsvRecord, Event, EventType, Position, Price, Reason,
    Result, Rules, Sink, Source, SourceExt, SplitState, Summary, ToCsv, Topology, UnterminatedRecord,
};
use fixture::{HEADER, Running, append, eventually, run_in_background};
use futures::StreamExt;
use proptest::prelude::*;
use tempfile::TempDir;
use time::macros::datetime;
use uuid::Uuid;

const SETTLE: Duration = Duration::from_millis(300);

fn row(user: &str) -> String {
    format!("2026-11-01T12:00:00Z,view,{user},s,p\n")
}

fn rows(users: impl IntoIterator<Item = u32>) -> String {
    users.into_iter().map(|user| row(&user.to_string())).collect()
}

fn drop_in(dir: &Path, name: &str, text: impl AsRef<[u8]>) {
    let temporary = dir.join(format!(".{name}.tmp"));
    fs::write(&temporary, text).unwrap();
    fs::rename(temporary, dir.join(name)).unwrap();
}

fn source(dir: &TempDir) -> CsvDirSource {
    CsvDirSource::new(dir.path())
        .settle_for(SETTLE)
        .rescan_every(Duration::from_millis(200))
}

fn users(sink: &MemorySink<Event>) -> Vec<String> {
    let mut users: Vec<_> = sink.values().into_iter().map(|event| event.user_id).collect();
    users.sort_by_key(|user| (user.len(), user.clone()));
    users
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

async fn once(source: CsvDirSource, sink: &MemorySink<Event>) -> Result<Summary> {
    source
        .available_now(true)
        .validate(Rules::default())
        .to(sink.clone())
        .run()
        .await
}

fn start(source: CsvDirSource, sink: &MemorySink<Event>) -> Running {
    let pipeline = source.validate(Rules::default()).to(sink.clone());
    run_in_background(pipeline)
}

fn state(sink: &MemorySink<Event>, path: &str) -> Option<Position> {
    sink.positions()
        .into_iter()
        .find(|position| position.split.path() == path)
}

fn reason(sink: &MemorySink<Event>, path: &str) -> String {
    let position = state(sink, path).unwrap();
    position
        .state
        .refusal()
        .map(|refusal| refusal.reason.to_string())
        .unwrap_or_default()
}

#[tokio::test]
async fn files_that_arrive_during_a_run_are_read() {
    let dir = tempfile::tempdir().unwrap();
    drop_in(dir.path(), "a.csv", HEADER.to_owned() + &rows(0..10));
    let sink = MemorySink::new("test");
    let running = start(source(&dir), &sink);
    eventually("the first file", || users(&sink) == numbers(0..10)).await;

    drop_in(dir.path(), "b.csv", HEADER.to_owned() + &rows(10..20));
    fs::write(dir.path().join("c.csv"), HEADER.to_owned() + &rows(20..30)).unwrap();
    eventually("renamed in and written in place", || users(&sink) == numbers(0..30)).await;

    let mut slow = fs::File::create(dir.path().join("d.csv")).unwrap();
    for n in 30..34 {
        slow.write_all(if n == 30 { HEADER.as_bytes() } else { b"" }).unwrap();
        slow.write_all(row(&n.to_string()).as_bytes()).unwrap();
        slow.flush().unwrap();
        tokio::time::sleep(SETTLE).await;
    }
    drop(slow);
    eventually("a slow writer", || users(&sink) == numbers(0..34)).await;

    append(&dir.path().join("a.csv"), rows(34..40));
    eventually("a file that grew", || users(&sink) == numbers(0..40)).await;
    eventually("all finished", || {
        sink.positions().iter().all(|p| p.state == SplitState::Finished)
    })
    .await;

    let summary = running.stop().await;
    assert!(summary.stopped && summary.counts.is_balanced());
    assert_eq!(once(source(&dir), &sink).await.unwrap().counts.read, 0);
}

#[tokio::test]
async fn files_are_found_without_notifications() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("test");
    let running = start(source(&dir).notifications(false), &sink);
    drop_in(dir.path(), "a.csv", HEADER.to_owned() + &rows(0..10));
    eventually("a file", || users(&sink) == numbers(0..10)).await;
    running.stop().await;
}

#[tokio::test]
async fn a_directory_that_is_created_again_is_watched_again() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    fs::create_dir(&data).unwrap();
    let sink = MemorySink::new("test");
    let running = start(CsvDirSource::new(&data).rescan_every(Duration::from_millis(50)), &sink);
    drop_in(&data, "a.csv", HEADER.to_owned() + &rows(0..1));
    eventually("a file", || users(&sink).len() == 1).await;
    fs::rename(&data, root.path().join("old")).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    fs::create_dir(&data).unwrap();
    drop_in(&data, "b.csv", HEADER.to_owned() + &rows(1..2));
    eventually("a file in the new directory", || users(&sink).len() == 2).await;
    running.stop().await;
}

#[tokio::test]
async fn a_last_record_without_a_line_end_is_stored_if_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("test");
    let source = || source(&dir).unterminated_record(UnterminatedRecord::Store);
    let text = HEADER.to_owned() + &rows(0..2);
    drop_in(dir.path(), "a.csv", text.trim_end());
    once(source(), &sink).await.unwrap();
    assert_eq!(users(&sink), numbers(0..2));

    // A line end and more records may follow it.
    append(&dir.path().join("a.csv"), "\n".to_owned() + &rows(2..3));
    once(source(), &sink).await.unwrap();
    assert_eq!(users(&sink), numbers(0..3));

    // The rest of its line is a reject, and the records behind it are read.
    drop_in(dir.path(), "b.csv", text.trim_end());
    once(source(), &sink).await.unwrap();
    append(&dir.path().join("b.csv"), "more\n".to_owned() + &rows(3..5));
    let summary = once(source(), &sink).await.unwrap();
    assert_eq!((summary.counts.stored, summary.counts.rejected), (2, 1));
    let rejects = sink.rejects();
    assert_eq!(rejects[0].refusal.reason, Reason::GREW_MID_RECORD);
    assert_eq!(rejects[0].origin.as_ref().unwrap().raw, "more");
    assert_eq!(state(&sink, "b.csv").unwrap().state, SplitState::Finished);
    assert_eq!(users(&sink).len(), 7);
}

#[tokio::test]
async fn a_last_record_without_a_line_end_is_stored_when_its_file_is_renamed_in() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("test");
    // No scan but the first: files are found by their notifications.
    let source = source(&dir).rescan_every(Duration::from_secs(1_000));
    drop_in(dir.path(), "a.csv", HEADER.to_owned() + &rows(0..1));
    let running = start(source, &sink);
    eventually("the watch", || users(&sink).len() == 1).await;
    let text = HEADER.to_owned() + &rows(1..3);
    drop_in(dir.path(), "b.csv", text.trim_end());
    eventually("both rows", || users(&sink) == numbers(0..3)).await;

    // A file that had its name before is not renamed in: its writer may go on.
    let text = HEADER.to_owned() + &rows(3..5);
    fs::write(dir.path().join("c.csv"), text.trim_end()).unwrap();
    eventually("the first row", || users(&sink) == numbers(0..4)).await;
    fs::rename(dir.path().join("c.csv"), dir.path().join("d.csv")).unwrap();
    eventually("the new name", || state(&sink, "d.csv").is_some()).await;
    append(&dir.path().join("d.csv"), "\n");
    eventually("its line end", || users(&sink) == numbers(0..5)).await;
    running.stop().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_set_aside_and_the_others_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("good.csv"), HEADER.to_owned() + &rows(0..5)).unwrap();
    fs::write(at("missing.csv"), "event_time,user_id\n1,2\n").unwrap();
    fs::write(at("twice.csv"), "event_time,event_time\n").unwrap();
    fs::write(at("semicolon.csv"), HEADER.replace(',', ";")).unwrap();
    let utf16: Vec<u8> = HEADER.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(at("utf16.csv"), utf16).unwrap();
    fs::write(at("quote.csv"), HEADER.to_owned() + &rows(5..7) + "\"" + &rows(7..9)).unwrap();
    fs::write(at("empty.csv"), "").unwrap();
    fs::write(at("header.csv"), HEADER).unwrap();
    fs::write(at("bom.csv"), "\u{feff}".to_owned() + HEADER + &rows(9..10)).unwrap();
    fs::write(
        at("crlf.csv"),
        (HEADER.to_owned() + &rows(10..12)).replace('\n', "\r\n"),
    )
    .unwrap();

    let sink = MemorySink::new("test");
    let summary = once(source(&dir), &sink).await.unwrap();
    assert!(summary.counts.is_balanced());
    assert_eq!(users(&sink), ["0", "1", "2", "3", "4", "5", "6", "9", "10", "11"]);
    assert_eq!(reason(&sink, "missing.csv"), "column_missing");
    assert_eq!(reason(&sink, "twice.csv"), "column_twice");
    assert_eq!(reason(&sink, "semicolon.csv"), "wrong_delimiter");
    assert_eq!(reason(&sink, "utf16.csv"), "wrong_encoding");
    assert_eq!(reason(&sink, "quote.csv"), "unterminated_quote");
    assert!(matches!(
        state(&sink, "quote.csv").unwrap().state,
        SplitState::Damaged(_)
    ));
    for whole in ["good.csv", "empty.csv", "header.csv", "bom.csv", "crlf.csv"] {
        assert_eq!(state(&sink, whole).unwrap().state, SplitState::Finished, "{whole}");
    }

    // After a repair, reading goes on where it was.
    fs::write(at("missing.csv"), HEADER.to_owned() + &rows(12..13)).unwrap();
    fs::write(at("quote.csv"), HEADER.to_owned() + &rows(5..9)).unwrap();
    once(source(&dir), &sink).await.unwrap();
    assert_eq!(users(&sink), numbers(0..13));
}

#[tokio::test]
async fn new_content_under_an_old_name_is_a_new_generation() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::new("test");
    drop_in(dir.path(), "a.csv", HEADER.to_owned() + &rows(0..5));
    once(source(&dir), &sink).await.unwrap();
    drop_in(dir.path(), "a.csv", HEADER.to_owned() + &rows(5..9));
    once(source(&dir), &sink).await.unwrap();
    assert_eq!(users(&sink), numbers(0..9));
    assert_eq!(state(&sink, "a.csv").unwrap().split.generation(), 1);

    // The same bytes in a new file are not new content.
    drop_in(dir.path(), "a.csv", HEADER.to_owned() + &rows(5..9));
    assert_eq!(once(source(&dir), &sink).await.unwrap().counts.read, 0);
}

#[tokio::test]
async fn names_may_be_any_bytes_and_the_oldest_comes_first() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let strange = std::ffi::OsStr::from_bytes(b"\xff\n\x1b[31m\\.csv");
    fs::write(dir.path().join(strange), HEADER.to_owned() + &rows(1..2)).unwrap();
    fs::write(dir.path().join("young.csv"), HEADER.to_owned() + &rows(0..1)).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    fs::File::open(dir.path().join("young.csv"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    let sink = MemorySink::new("test");
    once(source(&dir), &sink).await.unwrap();
    let order: Vec<_> = sink.values().into_iter().map(|event| event.user_id).collect();
    assert_eq!(order, ["0", "1"]);
    assert_eq!(once(source(&dir), &sink).await.unwrap().counts.read, 0);
}

#[tokio::test]
async fn committed_files_are_archived() {
    let dir = tempfile::tempdir().unwrap();
    let root = tempfile::tempdir_in(dir.path().parent().unwrap()).unwrap();
    let archive = root.path().join("done");
    let archiving = || source(&dir).after_commit(AfterCommit::Archive(archive.clone()));
    let sink = MemorySink::new("test");

    // A run without an archive finished this file; the next run archives it.
    drop_in(dir.path(), "a.csv", HEADER.to_owned() + &rows(0..5));
    once(source(&dir), &sink).await.unwrap();
    drop_in(dir.path(), "broken.csv", "a,b\n");
    let running = start(archiving(), &sink);
    drop_in(dir.path(), "b.csv", HEADER.to_owned() + &rows(5..9));
    eventually("both in the archive", || {
        archive.join("a.csv").exists() && archive.join("b.csv").exists()
    })
    .await;
    running.stop().await;
    assert_eq!(users(&sink), numbers(0..9));
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["broken.csv"], "a file that cannot be used stays");
}

#[tokio::test]
async fn a_missing_directory_is_an_error() {
    let err = once(CsvDirSource::new("/nonexistent/data"), &MemorySink::new("test"))
        .await
        .unwrap_err();
    assert!(err.report().contains("/nonexistent/data"), "{}", err.report());
}

/// Commits the first `batches` batches of `source` one by one, and drops it as a crash would.
async fn crash_after(source: impl Source<Item = CsvRecord> + 'static, sink: &MemorySink<CsvRecord>, batches: usize) {
    let from: Checkpoint = sink.clone().ledger(&Topology::default()).await.unwrap();
    let (stream, _) = source.open(from);
    let commits = sink.clone().commit(stream.take(batches));
    // A run to the end fails if the last record waits for its line end.
    commits.for_each(|_| async {}).await;
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(future)
}

fn event() -> impl Strategy<Value = Event> {
    // A text of blanks is no value, and a byte order mark in front of a record is removed.
    let has_more = |text: &String| !text.trim().is_empty() && !text.starts_with('\u{feff}');
    let id = || "[^\0]{1,16}".prop_filter("not blanks only, and no mark", has_more);
    let text = || prop::option::of("[^\0]{1,20}".prop_filter("not blanks only, and no mark", has_more));
    let times =
        datetime!(2000-01-01 00:00 UTC).unix_timestamp_nanos()..datetime!(2026-01-01 00:00 UTC).unix_timestamp_nanos();
    let ids = (
        any::<u128>(),
        times,
        prop::sample::select(&EventType::ALL[..]),
        id(),
        id(),
        id(),
    );
    let further = (
        prop::option::of(id()),
        prop::option::of("[A-Z]{3}"),
        prop::option::of(0..=Price::MAX.cents()),
    );
    let amounts = (0..=Price::MAX.cents(), 1..=i32::MAX);
    (ids, text(), text(), text(), amounts, further).prop_map(
        |((id, time, event_type, user, session, product), name, category, brand, (price, quantity), further)| {
            let time = time::OffsetDateTime::from_unix_timestamp_nanos(time / 1_000 * 1_000).unwrap();
            let mut event = Event::new(Uuid::from_u128(id), time, event_type, user, session, product);
            event.product_name = name;
            event.category = category;
            event.brand = brand;
            event.price = Price::from_cents(price);
            event.quantity = quantity;
            event.order_id = further.0;
            event.currency = further.1.map(|code| code.parse().unwrap());
            // A total that is price times quantity is not kept.
            let total = further.2.filter(|&total| event.amount() != Some(total.into()));
            event.line_total = total.and_then(Price::from_cents);
            event
        },
    )
}

/// A file of the events, with the columns in the order of `order`.
async fn csv_file(events: &[Event], order: &[usize]) -> Vec<u8> {
    let mut writer = csv_async::AsyncWriter::from_writer(Vec::new());
    writer
        .write_record(order.iter().map(|&at| Event::COLUMNS[at]))
        .await
        .unwrap();
    let mut record = csv_async::ByteRecord::new();
    for event in events {
        record.clear();
        event.to_csv(&mut record);
        let fields = order.iter().map(|&at| record.get(at).unwrap_or_default());
        writer.write_record(fields).await.unwrap();
    }
    writer.into_inner().await.unwrap()
}

fn old(path: &Path) {
    let long_ago = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::open(path).unwrap().set_modified(long_ago).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn events_round_trip_through_files_with_the_columns_in_any_order(
        events in prop::collection::vec(event(), 0..40),
        order in Just((0..Event::COLUMNS.len()).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let back = run(async {
            fs::write(dir.path().join("a.csv"), csv_file(&events, &order).await).unwrap();
            old(&dir.path().join("a.csv"));
            let sink = MemorySink::new("test");
            once(source(&dir), &sink).await.unwrap();
            assert_eq!(sink.rejects(), []);
            sink.values()
        });
        prop_assert_eq!(back, events);
    }

    #[test]
    fn crashes_at_any_commit_change_no_record(
        bytes in prop::collection::vec(prop_oneof![Just(b','), Just(b'\n'), Just(b'"'), any::<u8>()], 0..400),
        max_batch_rows in 1_usize..5,
        crashes in prop::collection::vec(0_usize..6, 0..8),
        unterminated in prop_oneof![Just(UnterminatedRecord::Wait), Just(UnterminatedRecord::Store)],
    ) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("a.csv", "a,b\n1,2\n".as_bytes()), ("b.csv", &bytes), ("c.csv", b"a,b\n3,4")] {
            fs::write(dir.path().join(name), text).unwrap();
            old(&dir.path().join(name));
        }
        let source = || {
            let limits = CsvLimits::default().max_batch_rows(max_batch_rows);
            let source = source(&dir).columns(Columns::any()).limits(limits).available_now(true);
            source.unterminated_record(unterminated)
        };
        let (cut, whole) = run(async {
            let whole = MemorySink::new("test");
            // The last record may wait for its line end.
            let check = |run: Result<Summary>| {
                let failed = run.err().map(|err| err.to_string());
                assert!(failed.is_none_or(|err| err.contains("not read to their end")));
            };
            check(source().to(whole.clone()).run().await);
            let cut = MemorySink::new("test");
            for batches in crashes {
                crash_after(source(), &cut, batches).await;
            }
            check(source().to(cut.clone()).run().await);
            (cut, whole)
        });
        prop_assert!(whole.counts().is_balanced());
        prop_assert_eq!(cut.counts(), whole.counts());
        prop_assert_eq!(cut.positions(), whole.positions());
        prop_assert_eq!(cut.records(), whole.records());
        prop_assert_eq!(cut.rejects(), whole.rejects());
    }
}

#[tokio::test]
async fn files_in_sub_directories_are_read_if_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let (data, done) = (root.path().join("data"), root.path().join("done"));
    let day = data.join("date=2026-11-01/hour=09");
    fs::create_dir_all(&day).unwrap();
    fs::create_dir_all(data.join(".hidden/deep")).unwrap();
    fs::create_dir_all(root.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(root.path().join("elsewhere"), data.join("linked")).unwrap();
    drop_in(&data, "top.csv", HEADER.to_owned() + &rows(0..1));
    drop_in(&day, "a.csv", HEADER.to_owned() + &rows(1..2));
    for passed_over in [data.join(".hidden/deep"), root.path().join("elsewhere")] {
        drop_in(&passed_over, "x.csv", HEADER.to_owned() + &rows(90..91));
    }
    let source = || {
        let source = CsvDirSource::new(&data)
            .settle_for(SETTLE)
            .rescan_every(Duration::from_millis(200));
        source.recursive(true).after_commit(AfterCommit::Archive(done.clone()))
    };
    // A crash during the removal left this file; it gets its name back, in its sub-directory.
    fs::rename(day.join("a.csv"), day.join(".ecom-aside.0.a.csv")).unwrap();
    let sink = MemorySink::new("test");
    once(source(), &sink).await.unwrap();
    assert_eq!(users(&sink), numbers(0..2));
    assert!(done.join("date=2026-11-01/hour=09/a.csv").exists() && done.join("top.csv").exists());
    assert!(state(&sink, "date=2026-11-01/hour=09/a.csv").is_some());

    let running = start(source(), &sink);
    let next = data.join("date=2026-11-01/hour=10");
    fs::create_dir(&next).unwrap();
    drop_in(&next, "a.csv", HEADER.to_owned() + &rows(2..3));
    eventually("a file in a new directory", || users(&sink) == numbers(0..3)).await;
    drop_in(&next, "b.csv", HEADER.to_owned() + &rows(3..4));
    eventually("another", || users(&sink) == numbers(0..4)).await;
    // A whole directory is moved in.
    let outside = root.path().join("hour=11");
    fs::create_dir(&outside).unwrap();
    drop_in(&outside, "a.csv", HEADER.to_owned() + &rows(4..5));
    fs::rename(outside, data.join("date=2026-11-01/hour=11")).unwrap();
    eventually("one that was moved in", || users(&sink) == numbers(0..5)).await;
    running.stop().await;

    // Without `recursive`, sub-directories are not read.
    let plain = MemorySink::new("plain");
    drop_in(&day, "c.csv", HEADER.to_owned() + &rows(5..6));
    once(CsvDirSource::new(&data).settle_for(SETTLE), &plain).await.unwrap();
    assert_eq!(users(&plain), numbers(0..0));
    let inside = CsvDirSource::new(&data)
        .recursive(true)
        .after_commit(AfterCommit::Archive(day.join("done")));
    assert_eq!(
        once(inside, &plain).await.unwrap_err().kind(),
        ecom_stream::ErrorKind::Configuration
    );
}
