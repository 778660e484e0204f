//! Compressed files are read like plain ones: each record once, through crashes, growth, renames and damage.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use ecom_stream::memory::MemorySink;
use ecom_stream::{
    Checkpoint, Columns, CsvDirSource, CsvLimits, CsvRecord, Position, Reason, Result, Sink, Source, SourceExt,
    SplitState, Summary, Topology, UnterminatedRecord,
};
use fixture::{append, eventually, run_in_background};
use futures::StreamExt;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

const SETTLE: Duration = Duration::from_millis(200);
const ENDINGS: [&str; 2] = ["gz", "zst"];

/// The pieces compressed as the ending says, each as a member of its own.
async fn compressed(ending: &str, pieces: &[&[u8]]) -> Vec<u8> {
    let mut compressed = Vec::new();
    for piece in pieces {
        match ending {
            "gz" => {
                let mut encoder = GzipEncoder::new(&mut compressed);
                encoder.write_all(piece).await.unwrap();
                encoder.shutdown().await.unwrap();
            }
            "zst" => {
                let mut encoder = ZstdEncoder::new(&mut compressed);
                encoder.write_all(piece).await.unwrap();
                encoder.shutdown().await.unwrap();
            }
            _ => compressed.extend_from_slice(piece),
        }
    }
    compressed
}

/// Creates a file with an old modification time, so that it need not settle.
fn put(dir: &TempDir, name: &str, bytes: &[u8]) {
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    old(&path);
}

fn old(path: &Path) {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options()
        .append(true)
        .open(path)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
}

fn source(dir: &TempDir, max_batch_rows: usize) -> CsvDirSource {
    let limits = CsvLimits::default().max_batch_rows(max_batch_rows);
    let source = CsvDirSource::new(dir.path()).columns(Columns::any()).limits(limits);
    source.settle_for(SETTLE).rescan_every(SETTLE)
}

async fn once(dir: &TempDir, sink: &MemorySink<CsvRecord>) {
    source(dir, 3).available_now(true).to(sink.clone()).run().await.unwrap();
}

/// A run that is dropped after this many batches, as if it had been killed.
async fn crash_after(source: CsvDirSource, sink: &MemorySink<CsvRecord>, batches: usize) {
    let from: Checkpoint = sink.clone().ledger(&Topology::default()).await.unwrap();
    let (stream, _) = source.open(from);
    let commits = sink.clone().commit(stream.take(batches));
    // A run to the end fails if the last record waits for its line end.
    commits.for_each(|_| async {}).await;
}

fn position(sink: &MemorySink<CsvRecord>, path: &str) -> Position {
    let mut positions = sink.positions().into_iter();
    positions.find(|position| position.split.path() == path).unwrap()
}

fn rows(range: std::ops::Range<u32>) -> String {
    let header = if range.start == 0 { "a,b\n" } else { "" };
    std::iter::once(header.to_owned())
        .chain(range.map(|n| format!("{n},{}\n", n.wrapping_mul(2_654_435_761))))
        .collect()
}

fn numbers(sink: &MemorySink<CsvRecord>) -> Vec<u32> {
    sink.values()
        .iter()
        .map(|record| record.field(0).unwrap().parse().unwrap())
        .collect()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any bytes, compressed in any members, give the same records, rejects, offsets and ends as plain, with crashes in between.
    #[test]
    fn a_compressed_file_is_read_like_a_plain_one(
        bytes in prop::collection::vec(prop_oneof![Just(b','), Just(b'\n'), Just(b'"'), any::<u8>()], 0..400),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        max_batch_rows in 1_usize..5,
        crashes in prop::collection::vec(0_usize..4, 0..8),
        ending in prop::sample::select(&ENDINGS[..]),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|two| &bytes[two[0]..two[1]]).collect();
        let (plain, compressed_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (whole, cut) = run(async {
            put(&plain, "b.csv", &bytes);
            put(&compressed_dir, &format!("b.csv.{ending}"), &compressed(ending, &pieces).await);
            let whole = MemorySink::new("test");
            // The last record may wait for its line end.
            let check = |run: Result<Summary>| {
                let failed = run.err().map(|err| err.to_string());
                assert!(failed.is_none_or(|err| err.contains("not read to their end")));
            };
            check(source(&plain, max_batch_rows).available_now(true).to(whole.clone()).run().await);
            let cut = MemorySink::new("test");
            for batches in crashes {
                crash_after(source(&compressed_dir, max_batch_rows).available_now(true), &cut, batches).await;
            }
            check(source(&compressed_dir, max_batch_rows).available_now(true).to(cut.clone()).run().await);
            (whole, cut)
        });
        prop_assert!(cut.counts().is_balanced());
        prop_assert_eq!(cut.counts(), whole.counts());
        prop_assert_eq!(cut.values(), whole.values());
        let rejects = |sink: &MemorySink<CsvRecord>| -> Vec<_> {
            let rejects = sink.rejects().into_iter();
            rejects.map(|reject| (reject.origin.map(|origin| (origin.record, origin.byte_offset, origin.raw)), reject.refusal)).collect()
        };
        prop_assert_eq!(rejects(&cut), rejects(&whole));
        let ends = |sink: &MemorySink<CsvRecord>| -> Vec<_> {
            sink.positions().into_iter().map(|position| (position.offset, position.record, position.state)).collect()
        };
        prop_assert_eq!(ends(&cut), ends(&whole));
    }

    /// A truncated file is damaged at its end. Once it is complete, the rest is read, and no record comes twice.
    #[test]
    fn a_truncated_compressed_file_is_damaged_until_it_is_complete(
        keep in any::<prop::sample::Index>(),
        crashes in prop::collection::vec(0_usize..4, 0..4),
        ending in prop::sample::select(&ENDINGS[..]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        run(async {
            let text = rows(0..400);
            let whole = compressed(ending, &[&text.as_bytes()[..2_000], &text.as_bytes()[2_000..]]).await;
            let keep = 1 + keep.index(whole.len() - 1);
            let name = format!("a.csv.{ending}");
            put(&dir, &name, &whole[..keep]);
            let sink = MemorySink::new("test");
            for batches in crashes {
                crash_after(source(&dir, 3).available_now(true), &sink, batches).await;
            }
            let ended = source(&dir, 3).available_now(true).to(sink.clone()).run().await;
            let state = position(&sink, &name).state;
            match state.refusal() {
                Some(refusal) => assert_eq!(refusal.reason, Reason::COMPRESSED_TRUNCATED),
                // The cut is between two members, so only the last record shows that the file was longer: it has no line end.
                None => assert_eq!((ended.is_err(), state), (true, SplitState::Open)),
            }
            let read = numbers(&sink);
            assert_eq!(read, (0..read.len() as u32).collect::<Vec<_>>());
            put(&dir, &name, &whole);
            once(&dir, &sink).await;
            assert_eq!(position(&sink, &name).state, SplitState::Finished);
            assert_eq!(numbers(&sink), (0..400).collect::<Vec<_>>());
        });
    }
}

#[tokio::test]
async fn appended_members_are_read() {
    for ending in ENDINGS {
        let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("test"));
        let path = dir.path().join(format!("a.csv.{ending}"));
        let running = run_in_background(source(&dir, 3).to(sink.clone()));
        fs::write(&path, compressed(ending, &[rows(0..10).as_bytes()]).await).unwrap();
        eventually("the first member", || numbers(&sink).len() == 10).await;
        // In two pieces: the first ends in the middle of a member.
        let more = compressed(ending, &[rows(10..20).as_bytes()]).await;
        append(&path, &more[..20]);
        append(&path, &more[20..]);
        eventually("the second", || numbers(&sink).len() == 20).await;
        assert_eq!(numbers(&sink), (0..20).collect::<Vec<_>>());
        eventually("its end", || {
            sink.positions().iter().all(|p| p.state == SplitState::Finished)
        })
        .await;
        running.stop().await;
    }
}

#[tokio::test]
async fn a_file_that_is_compressed_later_is_not_read_again() {
    for ending in ENDINGS {
        let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("test"));
        let text = rows(0..100);
        // One file is read to its end, the other only in part.
        put(&dir, "done.csv", text.as_bytes());
        once(&dir, &sink).await;
        put(&dir, "half.csv", rows(0..50).replace("0,0\n", "0,7\n").as_bytes());
        crash_after(source(&dir, 3).available_now(true), &sink, 5).await;
        let before = numbers(&sink).len();
        assert!(before > 100 && before < 150);
        for name in ["done.csv", "half.csv"] {
            let bytes = fs::read(dir.path().join(name)).unwrap();
            fs::remove_file(dir.path().join(name)).unwrap();
            put(&dir, &format!("{name}.{ending}"), &compressed(ending, &[&bytes]).await);
        }
        once(&dir, &sink).await;
        assert_eq!(numbers(&sink).len(), 150, "{ending}");
        let mark = position(&sink, &format!("done.csv.{ending}")).mark;
        assert!(mark.as_json().unwrap().contains("\"copy_of\":\"done.csv\""));
        let mark = position(&sink, "half.csv").mark;
        assert!(
            mark.as_json()
                .unwrap()
                .contains(&format!("\"renamed_to\":\"half.csv.{ending}\""))
        );
    }
}

#[tokio::test]
async fn a_file_that_is_not_compressed_as_its_name_says_is_set_aside() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("test"));
    put(&dir, "plain.csv.gz", rows(0..10).as_bytes());
    put(&dir, "plain.csv.zst", rows(0..10).as_bytes());
    put(&dir, "empty.csv.gz", b"");
    put(&dir, "good.csv", rows(0..1).as_bytes());
    once(&dir, &sink).await;
    for name in ["plain.csv.gz", "plain.csv.zst"] {
        let SplitState::SetAside(refusal) = position(&sink, name).state else {
            panic!("{name}")
        };
        assert_eq!(refusal.reason, Reason::COMPRESSED_DAMAGED);
    }
    assert_eq!(position(&sink, "empty.csv.gz").state, SplitState::Finished);
    assert_eq!(numbers(&sink), [0]);
}

#[tokio::test]
async fn a_decompression_bomb_is_damaged_and_takes_neither_memory_nor_time() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("test"));
    let zeros = vec![b'0'; 64 << 20];
    let bomb = compressed("gz", &[rows(0..5).as_bytes(), &zeros]).await;
    assert!(bomb.len() < 100 << 10);
    put(&dir, "bomb.csv.gz", &bomb);
    once(&dir, &sink).await;
    let SplitState::Damaged(refusal) = position(&sink, "bomb.csv.gz").state else {
        panic!()
    };
    assert_eq!(refusal.reason, Reason::RECORD_TOO_LARGE);
    assert_eq!(numbers(&sink), [0, 1, 2, 3, 4]);

    // A frame of 256 GiB in 8 MB, which would take minutes to decompress.
    let frame = compressed("zst", &[&vec![b'0'; 64 << 20]]).await;
    let bomb = [compressed("zst", &[rows(10..15).as_bytes()]).await, frame.repeat(4_096)].concat();
    put(&dir, "bomb.csv.zst", &bomb);
    once(&dir, &sink).await;
    assert_eq!(
        position(&sink, "bomb.csv.zst").state.refusal().unwrap().reason,
        Reason::RECORD_TOO_LARGE
    );
}

#[tokio::test]
async fn half_a_member_after_an_unterminated_record_is_damage() {
    for ending in ENDINGS {
        let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("test"));
        let name = format!("a.csv.{ending}");
        let text = rows(0..10);
        let first = compressed(ending, &[text.trim_end().as_bytes()]).await;
        put(&dir, &name, &first);
        let once = async |dir: &TempDir, sink: &MemorySink<CsvRecord>| {
            let source = source(dir, 3).unterminated_record(UnterminatedRecord::Store);
            source.available_now(true).to(sink.clone()).run().await.unwrap();
        };
        once(&dir, &sink).await;
        assert_eq!(position(&sink, &name).state, SplitState::Finished);
        let more = compressed(ending, &[format!("\n{}", rows(10..20)).as_bytes()]).await;
        put(&dir, &name, &[&first[..], &more[..more.len() / 2]].concat());
        once(&dir, &sink).await;
        let state = position(&sink, &name).state;
        assert_eq!(
            state.refusal().unwrap().reason,
            Reason::COMPRESSED_TRUNCATED,
            "{ending}"
        );
        put(&dir, &name, &[&first[..], &more].concat());
        once(&dir, &sink).await;
        assert_eq!(numbers(&sink), (0..20).collect::<Vec<_>>(), "{ending}");
    }
}
