//! Files that change while they are read or between runs: no record is lost or read twice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::sync::Once;
use std::time::{Duration, SystemTime};

use ecom_stream::memory::MemorySink;
use ecom_stream::{
    AfterCommit, CsvDirSource, CsvLimits, Event, Position, Reason, Result, Rules, SourceExt, SplitState, Summary,
    UnterminatedRecord,
};
use fixture::{HEADER, Running, append, eventually, run_in_background};
use tempfile::TempDir;

const SETTLE: Duration = Duration::from_millis(200);
/// A run that takes longer than this does not end.
const HANGS: Duration = Duration::from_secs(60);

fn row(user: u32) -> String {
    format!("2026-11-01T12:00:00Z,view,{user},s,p\n")
}

fn file(users: std::ops::Range<u32>) -> String {
    std::iter::once(HEADER.to_owned()).chain(users.map(row)).collect()
}

/// Creates a file with an old modification time, so that it need not settle.
fn put(dir: &TempDir, name: &str, text: impl AsRef<[u8]>) {
    let temporary = dir.path().join(".new.tmp");
    fs::write(&temporary, text).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::open(&temporary).unwrap().set_modified(long_ago).unwrap();
    fs::rename(temporary, dir.path().join(name)).unwrap();
}

fn source(dir: &TempDir) -> CsvDirSource {
    let source = CsvDirSource::new(dir.path()).settle_for(SETTLE).rescan_every(SETTLE);
    source.limits(CsvLimits::default().max_batch_rows(100))
}

async fn once(dir: &TempDir, sink: &MemorySink<Event>) -> Summary {
    run_once(source(dir), sink).await.unwrap()
}

async fn run_once(source: CsvDirSource, sink: &MemorySink<Event>) -> Result<Summary> {
    let pipeline = source.available_now(true).validate(Rules::default()).to(sink.clone());
    let summary = tokio::time::timeout(HANGS, pipeline.run()).await;
    summary.expect("it does not end")
}

/// Starts a run that calls `at_first` after its first batch.
fn start(source: CsvDirSource, sink: &MemorySink<Event>, at_first: impl Fn() + Send + Sync + 'static) -> Running {
    let first = Once::new();
    let pipeline = source
        .validate(Rules::default())
        .inspect(move |_| first.call_once(&at_first))
        .to(sink.clone());
    run_in_background(pipeline)
}

/// The users in the order of their events.
fn users(sink: &MemorySink<Event>) -> Vec<u32> {
    let events = sink.values().into_iter();
    events.filter_map(|event| event.user_id.parse().ok()).collect()
}

fn position(sink: &MemorySink<Event>, path: &str) -> Position {
    let mut positions = sink.positions().into_iter();
    positions.find(|position| position.split.path() == path).unwrap()
}

#[tokio::test]
async fn a_file_rewritten_while_it_is_read_becomes_a_new_generation() {
    // Shorter than before, as long, and longer.
    for size in [10, 20_000, 30_000] {
        let dir = tempfile::tempdir().unwrap();
        put(&dir, "a.csv", file(100_000..120_000));
        let sink = MemorySink::new("test");
        let (path, new) = (dir.path().join("a.csv"), 200_000..200_000 + size);
        let text = file(new.clone());
        let running = start(source(&dir), &sink, move || fs::write(&path, &text).unwrap());
        eventually("all of the new content", || {
            let users: HashSet<u32> = users(&sink).into_iter().collect();
            new.clone().all(|user| users.contains(&user))
        })
        .await;
        eventually("its end", || position(&sink, "a.csv").state == SplitState::Finished).await;
        assert!(running.stop().await.counts.is_balanced());
        assert!(position(&sink, "a.csv").split.generation() > 0, "{size}");
        assert_eq!(once(&dir, &sink).await.counts.read, 0, "{size}");
    }
}

/// Rows of one length. The session, the first and the last column tell the content of which a row is.
fn rows_of(content: &str, count: u32) -> String {
    let seconds = if content == "A" { 0 } else { 1 };
    let rows = (100_000..100_000 + count)
        .map(|user| format!("2026-11-01T12:00:0{seconds}Z,view,{user},s{content},p{content}\n"));
    std::iter::once(HEADER.to_owned()).chain(rows).collect()
}

#[tokio::test]
async fn rows_of_a_file_overwritten_in_place_are_stored_once_and_whole() {
    const OLD: u32 = 20_000;
    for compressed in [false, true] {
        for (truncated, count) in [
            (true, OLD),
            (true, OLD + 5_000),
            (false, OLD),
            (false, OLD + 5_000),
            (false, 100),
        ] {
            let case = format!("truncated {truncated}, to {count} rows, compressed {compressed}");
            let dir = tempfile::tempdir().unwrap();
            let name = if compressed { "a.csv.gz" } else { "a.csv" };
            let bytes = move |text: String| {
                if compressed {
                    gzip(text.as_bytes())
                } else {
                    text.into_bytes()
                }
            };
            put(&dir, name, bytes(rows_of("A", OLD)));
            let sink = MemorySink::new("test");
            let path = dir.path().join(name);
            let running = start(source(&dir), &sink, move || {
                let mut file = OpenOptions::new().write(true).truncate(truncated).open(&path).unwrap();
                let new = bytes(rows_of("B", count));
                file.write_all(&new).unwrap();
                file.set_len(new.len() as u64).unwrap();
            });
            eventually("the end of the new content", || {
                let is_read = |last: &Position| last.split.generation() == 1 && last.state == SplitState::Finished;
                sink.positions().iter().any(is_read)
            })
            .await;
            running.stop().await;
            let events = sink.values();
            let is_whole = |event: &Event| event.product_id[1..] == event.session_id[1..];
            assert!(events.iter().all(is_whole), "{case}: a row is of two contents");
            let of = |content: &str| -> Vec<u32> {
                let of_it = events.iter().filter(|event| event.session_id == format!("s{content}"));
                of_it.map(|event| event.user_id.parse().unwrap()).collect()
            };
            assert!(
                of("B").into_iter().eq(100_000..100_000 + count),
                "{case}: each new row once"
            );
            let old = of("A");
            assert!((100..=OLD as usize).contains(&old.len()), "{case}: {}", old.len());
            assert!(old.into_iter().zip(100_000..).all(|(user, n)| user == n), "{case}");
            assert_eq!(once(&dir, &sink).await.epochs, 0, "{case}");
        }
    }
}

#[tokio::test]
async fn content_written_in_place_with_the_old_size_and_time_is_read() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "a.csv", file(100..200));
    let sink = MemorySink::new("test");
    once(&dir, &sink).await;
    let path = dir.path().join("a.csv");
    let modified = path.metadata().unwrap().modified().unwrap();
    // The clock of the file system has ticked since the file was renamed.
    tokio::time::sleep(Duration::from_millis(100)).await;
    fs::write(&path, file(200..300)).unwrap();
    File::open(&path).unwrap().set_modified(modified).unwrap();
    assert_eq!(once(&dir, &sink).await.counts.read, 100);
    assert_eq!(position(&sink, "a.csv").split.generation(), 1);
    assert!(users(&sink).into_iter().eq(100..300));
}

#[tokio::test]
async fn a_changed_change_time_alone_is_noted_and_no_new_generation() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "a.csv", file(0..100));
    let sink = MemorySink::new("test");
    once(&dir, &sink).await;
    let path = dir.path().join("a.csv");
    let changes: [fn(&Path); 2] = [
        |path| fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap(),
        |path| fs::hard_link(path, path.with_extension("link")).unwrap(),
    ];
    for change in changes {
        tokio::time::sleep(Duration::from_millis(100)).await;
        change(&path);
        let summary = once(&dir, &sink).await;
        assert_eq!(
            (summary.counts.read, summary.epochs),
            (0, 1),
            "it is compared, and the time noted"
        );
        assert_eq!(once(&dir, &sink).await.epochs, 0, "and not compared again");
    }
    assert_eq!(position(&sink, "a.csv").split.generation(), 0);
}

#[tokio::test]
async fn damage_seen_while_a_file_is_rewritten_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "a.csv", file(0..20_000));
    // From its start this content is valid. For a reader in the middle of it, a quote opens at the end and is never closed.
    let header = HEADER.replace('\n', ",note\n");
    let text = format!("{header}{},\"{}x,\"\n", row(20_000).trim_end(), "x\n".repeat(480_000));
    let sink = MemorySink::new("test");
    let path = dir.path().join("a.csv");
    let running = start(source(&dir), &sink, move || fs::write(&path, &text).unwrap());
    eventually("the new content", || users(&sink).contains(&20_000)).await;
    eventually("its end", || position(&sink, "a.csv").state == SplitState::Finished).await;
    running.stop().await;
    assert_eq!(position(&sink, "a.csv").split.generation(), 1);
}

/// The text as a gzip file.
fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Zeros behind the records are space that was allocated and not written yet, however long they are.
#[tokio::test]
async fn a_sparse_file_is_read_once_and_waits() {
    for name in ["a.csv", "a.csv.gz"] {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("{}{}", file(0..1), "\0".repeat(1_000_000)).into_bytes();
        put(&dir, name, if name.ends_with(".gz") { gzip(&text) } else { text });
        let sink = MemorySink::new("test");
        let limited = || source(&dir).limits(CsvLimits::default().max_record_bytes(10_000));
        let run = async || {
            let pipeline = limited()
                .available_now(true)
                .validate(Rules::default())
                .to(sink.clone());
            let run = tokio::time::timeout(HANGS, pipeline.run()).await;
            run.unwrap_or_else(|_| panic!("{name}: it does not end"))
                .unwrap_err()
                .report()
                .to_string()
        };
        for _ in 0..2 {
            let said = run().await;
            assert!(said.contains("not read to their end") && said.contains(name), "{said}");
            assert_eq!(users(&sink), [0], "{name}");
        }
        let waiting = position(&sink, name);
        assert_eq!(waiting.state, SplitState::Open, "{name}");
        let running = start(limited(), &sink, || {});
        put(&dir, "b.csv", file(100..101));
        eventually("the other file", || users(&sink).contains(&100)).await;
        tokio::time::sleep(SETTLE * 3).await;
        assert_eq!(running.stop().await.epochs, 1, "{name}");
        assert_eq!(position(&sink, name), waiting, "{name}");
    }
}

#[tokio::test]
async fn a_file_with_more_behind_its_damage_is_read_once() {
    let more = "x".repeat(1_000_000);
    let quote_never_closed = format!("{},\"x\n{}", &row(1)[..20], file(2..20_000));
    let cases = [
        ("a quote that is never closed", quote_never_closed),
        ("a long line", format!("{more}\n{}", file(2..9))),
        ("only delimiters", ",".repeat(1_000_000)),
        ("blank lines", "\n".repeat(1_000_000)),
    ];
    for (case, text) in cases {
        for name in ["a.csv", "a.csv.gz"] {
            let dir = tempfile::tempdir().unwrap();
            let text = format!("{}{text}", file(0..1)).into_bytes();
            put(&dir, name, if name.ends_with(".gz") { gzip(&text) } else { text });
            let sink = MemorySink::new("test");
            let limited = || source(&dir).limits(CsvLimits::default().max_record_bytes(10_000));
            let run = async || {
                let pipeline = limited()
                    .available_now(true)
                    .validate(Rules::default())
                    .to(sink.clone());
                let summary = tokio::time::timeout(HANGS, pipeline.run()).await;
                summary
                    .unwrap_or_else(|_| panic!("{case} in {name}: it does not end"))
                    .unwrap()
            };
            assert_eq!(run().await.counts.stored, 1, "{case} in {name}");
            let damaged = position(&sink, name);
            let refusal = damaged.state.refusal().unwrap();
            assert_eq!(refusal.reason, Reason::RECORD_TOO_LARGE, "{case} in {name}");
            let again = run().await;
            assert_eq!((again.counts.read, again.epochs), (0, 0), "{case} in {name}");
            // A continuous run reads other files meanwhile, and not this one again.
            let running = start(limited(), &sink, || {});
            put(&dir, "b.csv", file(100..101));
            eventually("the other file", || users(&sink).contains(&100)).await;
            tokio::time::sleep(SETTLE * 3).await;
            assert_eq!(running.stop().await.epochs, 1, "{case} in {name}");
            assert_eq!(position(&sink, name), damaged, "{case} in {name}");
        }
    }
}

#[tokio::test]
async fn a_file_replaced_while_it_is_read_is_finished_before_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "a.csv", file(0..20_000));
    fs::write(dir.path().join(".b.tmp"), file(20_000..20_100)).unwrap();
    let (from, to) = (dir.path().join(".b.tmp"), dir.path().join("a.csv"));
    let sink = MemorySink::new("test");
    let running = start(source(&dir), &sink, move || fs::rename(&from, &to).unwrap());
    eventually("both", || users(&sink).len() >= 20_100).await;
    running.stop().await;
    assert!(users(&sink).into_iter().eq(0..20_100));
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_read_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "a.csv", file(0..20_000).trim_end());
    let path = dir.path().join("a.csv");
    let sink = MemorySink::new("test");
    let more = format!("\n{}", row(20_000));
    let running = start(source(&dir), &sink, move || append(&path, &more));
    eventually("the line appended", || users(&sink).len() > 20_000).await;
    running.stop().await;
    assert!(users(&sink).into_iter().eq(0..20_001));
    assert_eq!(position(&sink, "a.csv").split.generation(), 0);
}

/// How an upload that broke off gets whole.
#[derive(Debug, Clone, Copy)]
enum Again {
    /// The rest is appended.
    GoesOn,
    /// The file is written again from its start, in place.
    InPlace,
    /// The same, and for a while it is shorter than what was read of it.
    InPlaceSlowly,
    /// It is deleted and created anew.
    Anew,
    /// The whole file is renamed over it.
    Renamed,
}

#[tokio::test]
async fn half_a_record_waits_until_its_file_goes_on_or_comes_again() {
    use Again::*;
    let whole = file(0..50);
    // In the header, behind it, in a row, between a row and its line end, and behind that.
    let in_row = whole.find(",30,").unwrap() + 2;
    let cuts = [
        20,
        HEADER.len(),
        in_row,
        whole.find("\n").unwrap() * 20,
        whole.len() - 1,
    ];
    for (again, at) in [GoesOn, InPlace, InPlaceSlowly, Anew, Renamed]
        .into_iter()
        .flat_map(|again| cuts.map(|at| (again, at)))
    {
        let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("test"));
        let path = dir.path().join("a.csv");
        put(&dir, "a.csv", &whole[..at]);
        let whole_rows = || whole[..at].lines().count().saturating_sub(2) as u32;
        for _ in 0..2 {
            let waits = run_once(source(&dir), &sink).await;
            // A header that does not fit yet is set aside.
            if at > HEADER.len() {
                let err = waits.unwrap_err().report();
                assert!(err.contains("a.csv") && err.contains("line end"), "{err}");
                assert_eq!(position(&sink, "a.csv").state, SplitState::Open);
            }
            assert!(users(&sink).into_iter().eq(0..whole_rows()), "{again:?} at {at}");
        }
        match again {
            GoesOn => append(&path, &whole[at..]),
            InPlace => fs::write(&path, &whole).unwrap(),
            InPlaceSlowly => {
                let shorter = HEADER.len() + 10;
                fs::write(&path, &whole[..shorter]).unwrap();
                let _ = run_once(source(&dir), &sink).await;
                append(&path, &whole[shorter..]);
            }
            Anew => {
                fs::remove_file(&path).unwrap();
                fs::write(&path, &whole).unwrap();
            }
            Renamed => put(&dir, "a.csv", &whole),
        }
        let summary = once(&dir, &sink).await;
        assert!(
            users(&sink).into_iter().eq(0..50),
            "{again:?} at {at}: {:?}",
            users(&sink)
        );
        let position = position(&sink, "a.csv");
        assert_eq!(position.state, SplitState::Finished, "{again:?} at {at}");
        assert_eq!(
            (position.split.generation(), summary.counts.rejected),
            (0, 0),
            "{again:?} at {at}"
        );
    }
}

#[tokio::test]
async fn a_file_that_waits_for_a_line_end_is_not_archived() {
    let (dir, sink, root) = (
        tempfile::tempdir().unwrap(),
        MemorySink::new("test"),
        tempfile::tempdir().unwrap(),
    );
    let done = root.path().join("done");
    put(&dir, "a.csv", file(0..3).trim_end());
    let archiving = || source(&dir).after_commit(AfterCommit::Archive(done.clone()));
    for _ in 0..2 {
        assert!(run_once(archiving(), &sink).await.is_err());
        assert!(dir.path().join("a.csv").exists());
    }
    append(&dir.path().join("a.csv"), "\n");
    run_once(archiving(), &sink).await.unwrap();
    assert!(users(&sink).into_iter().eq(0..3) && done.join("a.csv").exists());
}

#[tokio::test]
async fn zeros_at_the_end_of_a_file_are_no_content() {
    // More zeros than a record may be long, too.
    for rows in [10, 1_000] {
        let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("test"));
        let path = dir.path().join("a.csv");
        let whole = file(0..rows).into_bytes();
        let limits = CsvLimits::default().max_batch_rows(100).max_record_bytes(10_000);
        let allocated = File::create(&path).unwrap();
        allocated.set_len(whole.len() as u64).unwrap();
        for (to, read) in [(0, 0), (10, 0), (HEADER.len() + 50, 1), (HEADER.len() + 72, 2)] {
            allocated.write_all_at(&whole[..to], 0).unwrap();
            for unterminated in [UnterminatedRecord::Wait, UnterminatedRecord::Store] {
                let source = source(&dir).limits(limits).unterminated_record(unterminated);
                let waits = run_once(source, &sink).await;
                // Without a whole header the file is set aside, until it changes.
                assert!(waits.is_err() || to <= 10, "{to} of {rows} rows");
                assert!(
                    users(&sink).into_iter().eq(0..read),
                    "{to}: {:?}",
                    position(&sink, "a.csv")
                );
            }
        }
        allocated.write_all_at(&whole, 0).unwrap();
        let summary = once(&dir, &sink).await;
        assert_eq!(summary.counts.rejected, 0);
        assert!(users(&sink).into_iter().eq(0..rows));
        assert_eq!(position(&sink, "a.csv").state, SplitState::Finished);
        assert_eq!(position(&sink, "a.csv").split.generation(), 0);
    }
}

#[tokio::test]
async fn lines_after_an_unterminated_record_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    put(&dir, "a.csv", file(0..1).trim_end());
    let sink = MemorySink::new("test");
    let once = async || {
        let source = source(&dir).unterminated_record(UnterminatedRecord::Store);
        run_once(source, &sink).await.unwrap();
    };
    once().await;
    for n in 1..4 {
        // The first addition ends the record; each of the others is a new one.
        append(&path, if n == 1 { format!("\n{}", row(n)) } else { row(n) });
        once().await;
        assert!(
            users(&sink).into_iter().eq(0..=n),
            "{:?}",
            position(&sink, "a.csv").state
        );
    }

    // Another unterminated record, whose line end comes alone.
    append(&path, row(4).trim_end());
    once().await;
    append(&path, "\n");
    once().await;
    append(&path, row(5));
    once().await;
    assert!(users(&sink).into_iter().eq(0..6));
    assert_eq!(position(&sink, "a.csv").state, SplitState::Finished);
}

#[tokio::test]
async fn blank_lines_before_the_header_are_skipped() {
    for blank in ["\n", "\r\n\r\n", "\u{feff}\n"] {
        let dir = tempfile::tempdir().unwrap();
        let sink = MemorySink::new("test");
        put(&dir, "a.csv", blank);
        once(&dir, &sink).await;
        append(&dir.path().join("a.csv"), file(0..3));
        let summary = once(&dir, &sink).await;
        assert_eq!((users(&sink), summary.counts.rejected), (vec![0, 1, 2], 0), "{blank:?}");
    }
}

#[tokio::test]
async fn an_available_now_run_ends_although_a_file_never_settles() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "a.csv", file(0..10));
    fs::write(dir.path().join("log.csv"), file(10..11)).unwrap();
    let sink = MemorySink::new("test");
    let path = dir.path().join("log.csv");
    let writer = tokio::spawn(async move {
        for user in 11.. {
            append(&path, row(user));
            tokio::time::sleep(SETTLE / 5).await;
        }
    });
    once(&dir, &sink).await;
    assert!(!writer.is_finished());
    writer.abort();
    assert!(users(&sink).len() >= 10);

    // The next run reads what this one left.
    let _ = writer.await;
    once(&dir, &sink).await;
    let text = fs::read_to_string(dir.path().join("log.csv")).unwrap();
    assert_eq!(users(&sink).len(), 10 + text.lines().count() - 1);
}

#[tokio::test]
async fn a_file_that_cannot_be_archived_does_not_hold_up_the_others() {
    let (dir, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let done = root.path().join("done");
    fs::create_dir(&done).unwrap();
    // The name of its directory is taken in the archive.
    fs::write(done.join("day"), "").unwrap();
    fs::create_dir(dir.path().join("day")).unwrap();
    put(&dir, "day/a.csv", file(0..1));
    let sink = MemorySink::new("test");
    let archiving = source(&dir)
        .recursive(true)
        .after_commit(AfterCommit::Archive(done.clone()));
    let running = start(archiving, &sink, || {});
    eventually("the first", || users(&sink).len() == 1).await;
    for n in 1..4 {
        put(&dir, &format!("{n}.csv"), file(n..n + 1));
        eventually("the next in the archive", || done.join(format!("{n}.csv")).exists()).await;
    }
    assert_eq!(
        running.stop().await.epochs,
        4,
        "what could not be archived is not read again"
    );
    assert_eq!(users(&sink), [0, 1, 2, 3]);
    assert!(dir.path().join("day/a.csv").exists(), "it stays where it was");
    assert_eq!(fs::read(done.join("day")).unwrap(), b"", "and replaces nothing");
}
