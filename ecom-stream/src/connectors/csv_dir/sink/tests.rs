use std::fs;
use std::path::Path;

use futures::TryStreamExt;
use futures::stream;
use tempfile::tempdir;
use time::macros::datetime;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;
use crate::connectors::csv_dir::CsvDirSource;
use crate::connectors::memory::{MemorySink, MemorySource};
use crate::contract::{Mark, Record, Refusal, Reject, Split, SplitState};
use crate::event::{Event, EventType, Price, Rules};
use crate::operators::SourceExt;

fn event(n: u64) -> Event {
    let mut event = Event::new(
        Uuid::from_u128(n.into()),
        datetime!(2026-11-01 12:00 UTC),
        EventType::View,
        "u",
        "s",
        format!("p{n}"),
    );
    event.product_name = Some("Shirt, \"slim\"\nfit".to_owned());
    event
}

/// The events from `first` to before `end`, as one batch of a split.
fn batch(first: u64, end: u64) -> Batch<Event> {
    let split = Split::new("test", "events");
    let record = |n| Record {
        value: event(n),
        origin: None,
    };
    let mut batch = Batch {
        records: (first..end).map(record).collect(),
        ..Batch::default()
    };
    batch.count_of(&split).read = end - first;
    batch.positions = vec![Position {
        split,
        offset: end,
        record: end,
        state: SplitState::Open,
        mark: Mark::NONE,
    }];
    batch
}

/// Whatever is in the directory, in order, and how many records of it.
fn files(dir: &Path) -> Vec<(String, usize)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            // A temporary file may be gone by now.
            let rows = fs::read_to_string(&path).unwrap_or_default().matches("\nfit").count();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), rows)
        })
        .collect();
    files.sort();
    files
}

fn named(files: &[(&str, usize)]) -> Vec<(String, usize)> {
    files.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect()
}

async fn write(
    mut sink: CsvDirSink<Event>,
    batches: Vec<Result<Batch<Event>>>,
) -> Result<Vec<Commit>, (Vec<Commit>, Error)> {
    if let Err(err) = sink.ledger(&Topology::default()).await {
        return Err((Vec::new(), err));
    }
    let mut commits = std::pin::pin!(sink.commit(stream::iter(batches)));
    let mut seen = Vec::new();
    loop {
        match commits.try_next().await {
            Ok(Some(commit)) => seen.push(commit),
            Ok(None) => return Ok(seen),
            Err(err) => return Err((seen, err)),
        }
    }
}

#[tokio::test]
async fn files_roll_by_rows_and_read_back_equal() {
    let dir = tempdir().unwrap();
    let sink = CsvDirSink::new(dir.path().join("new")).max_rows(4).roll_every(None);
    let source = MemorySource::new("events", (0..10).map(event).collect()).max_batch_rows(3);
    let summary = source.to(sink).run().await.unwrap();
    assert_eq!((summary.counts.read, summary.counts.stored), (10, 10));

    let dir = dir.path().join("new");
    let names = ["events-000001.csv", "events-000002.csv", "events-000003.csv"];
    assert_eq!(files(&dir), named(&[(names[0], 4), (names[1], 4), (names[2], 2)]));
    let mut number = 0;
    for name in names {
        let file = tokio::fs::File::open(dir.join(name)).await.unwrap();
        let mut reader = csv_async::AsyncReader::from_reader(file);
        assert_eq!(reader.byte_headers().await.unwrap(), &Event::BASE_COLUMNS[..]);
        let mut found = ByteRecord::new();
        while reader.read_byte_record(&mut found).await.unwrap() {
            let mut expected = ByteRecord::new();
            event(number).to_csv(&mut expected);
            assert_eq!(found, expected);
            number += 1;
        }
    }
    assert_eq!(number, 10);
}

#[tokio::test]
async fn commits_stand_for_whole_batches_in_renamed_files() {
    let dir = tempdir().unwrap();
    let sink = CsvDirSink::new(dir.path()).max_rows(4).roll_every(None);
    let mut with_reject = batch(12, 12);
    with_reject.rejects.push(Reject::new(None, Refusal::new("bad", "very")));
    with_reject.count_of(&Split::new("test", "events")).read = 1;
    let batches = [batch(0, 3), batch(3, 11), batch(11, 12), with_reject, Batch::default()];
    let commits = write(sink, batches.into_iter().map(Ok).collect()).await.unwrap();
    let seen: Vec<_> = commits
        .iter()
        .map(|commit| {
            (
                commit.epoch,
                commit.positions[0].record,
                commit.counts.stored,
                commit.counts.rejected,
            )
        })
        .collect();
    // The second batch ends in the third file, which the third batch fills.
    assert_eq!(seen, [(1, 3, 3, 0), (2, 12, 9, 0), (3, 12, 0, 1)]);
    assert!(commits.iter().all(|commit| commit.counts.is_balanced()));
}

#[tokio::test(start_paused = true)]
async fn files_roll_by_time_although_no_input_comes() {
    let dir = tempdir().unwrap();
    let mut sink = CsvDirSink::new(dir.path()).roll_every(Duration::from_secs(1)..=Duration::from_secs(3));
    sink.ledger(&Topology::default()).await.unwrap();
    let (sender, mut receiver) = mpsc::channel(1);
    let input = async_stream::stream! {
        while let Some(batch) = receiver.recv().await {
            yield Ok(batch);
        }
    };
    let mut commits = std::pin::pin!(sink.commit(input));
    for n in 0..5 {
        sender.send(batch(n, n + 1)).await.unwrap();
        let before = Instant::now();
        let commit = commits.next().await.unwrap().unwrap();
        assert_eq!((commit.epoch, commit.positions[0].record), (n + 1, n + 1));
        let open_for = before.elapsed();
        assert!((1_000..=3_010).contains(&open_for.as_millis()), "{open_for:?}");
    }
    drop(sender);
    assert!(commits.next().await.is_none());
    assert_eq!(files(dir.path()).len(), 5);
}

#[tokio::test]
async fn no_file_is_replaced_and_numbers_go_on() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("events-000007.csv"), "old").unwrap();
    fs::write(dir.path().join(".events-000008.csv.tmp"), "crashed").unwrap();
    fs::write(dir.path().join(".other-000008.csv.tmp"), "of another prefix").unwrap();
    let mut sink = CsvDirSink::new(dir.path()).max_rows(1);
    sink.ledger(&Topology::default()).await.unwrap();
    // Taken after the sink has looked.
    fs::write(dir.path().join("events-000008.csv"), "old").unwrap();
    let input = stream::iter([Ok(batch(0, 2))]);
    let commits: Vec<_> = sink.commit(input).try_collect().await.unwrap();
    assert_eq!(commits.len(), 1);
    let expected = [
        (".other-000008.csv.tmp", 0),
        ("events-000007.csv", 0),
        ("events-000008.csv", 0),
        ("events-000009.csv", 1),
        ("events-000010.csv", 1),
    ];
    assert_eq!(files(dir.path()), named(&expected));
}

#[tokio::test]
async fn an_error_of_the_input_ends_the_sink_after_earlier_records() {
    let dir = tempdir().unwrap();
    let batches = vec![
        Ok(batch(0, 2)),
        Err(Error::new(ErrorKind::Source, "gone")),
        Ok(batch(2, 3)),
    ];
    let (commits, err) = write(CsvDirSink::new(dir.path()), batches).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Source);
    assert_eq!(commits[0].counts.stored, 2);
    assert_eq!(files(dir.path()), named(&[("events-000001.csv", 2)]));
}

#[tokio::test]
async fn a_stop_finishes_the_open_file() {
    let dir = tempdir().unwrap();
    let sink = CsvDirSink::new(dir.path()).roll_every(None).sync(true);
    let source = MemorySource::new("events", (0..5).map(event).collect()).merge(Idle);
    let watched = dir.path().to_owned();
    let summary = source
        .to(sink)
        .run_until(async move {
            while files(&watched).is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
    assert!(summary.stopped);
    assert_eq!(files(dir.path()), named(&[("events-000001.csv", 5)]));
}

/// Never ends.
struct Idle;

impl crate::contract::Source for Idle {
    type Item = Event;
    type Ack = ();

    fn describe(&self, topology: &mut Topology) {
        topology.add_source("idle", "nowhere");
    }

    fn open(self, _: Checkpoint) -> (impl BatchStream<Event>, ()) {
        (stream::pending(), ())
    }
}

#[tokio::test]
async fn a_dropped_stream_leaves_no_temporary_file() {
    let dir = tempdir().unwrap();
    let temporary = dir.path().join(".events-000002.csv.tmp");
    let mut sink = CsvDirSink::new(dir.path()).max_rows(2);
    sink.ledger(&Topology::default()).await.unwrap();
    {
        let input = stream::iter([Ok(batch(0, 2)), Ok(batch(2, 3))]).chain(stream::pending());
        let mut commits = std::pin::pin!(sink.commit(input));
        commits.next().await.unwrap().unwrap();
        let opened = async {
            while !temporary.exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            () = opened => {}
            commit = commits.next() => panic!("{commit:?}"),
        }
    }
    // The system may still be at it.
    while temporary.exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(files(dir.path()), named(&[("events-000001.csv", 2)]));
}

#[tokio::test]
async fn errors_say_where_and_what_to_do() {
    let dir = tempdir().unwrap();
    let in_the_way = dir.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    let (_, err) = write(CsvDirSink::new(&in_the_way), Vec::new()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Sink);
    assert!(err.report().contains(in_the_way.to_str().unwrap()), "{}", err.report());
    assert!(err.report().contains("choose another directory"), "{}", err.report());

    let (_, err) = write(CsvDirSink::new(dir.path()).prefix("a/b"), Vec::new())
        .await
        .unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Configuration);
    let upside_down = Duration::from_secs(3)..=Duration::from_secs(1);
    let (_, err) = write(CsvDirSink::new(dir.path()).roll_every(upside_down), Vec::new())
        .await
        .unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Configuration);

    let gone = dir.path().join("gone");
    let mut sink = CsvDirSink::new(&gone);
    sink.ledger(&Topology::default()).await.unwrap();
    fs::remove_dir(&gone).unwrap();
    let err = sink
        .commit(stream::iter([Ok(batch(0, 1))]))
        .try_collect::<Vec<_>>()
        .await
        .unwrap_err();
    assert!(err.report().contains(".events-000001.csv.tmp"), "{}", err.report());
}

#[tokio::test]
async fn columns_that_few_events_have_are_written_to_files_of_their_own() {
    let dir = tempdir().unwrap();
    let mut events: Vec<Event> = (0..6).map(event).collect();
    events[2].order_id = Some("#1, \u{e4}".into());
    events[4].line_total = Price::from_cents(101);
    events[4].quantity = 2;
    events[4].currency = "EUR".parse().ok();
    let source = MemorySource::new("events", events.clone()).max_batch_rows(3);
    let sink = CsvDirSink::new(dir.path()).roll_every(None);
    assert_eq!(source.to(sink).run().await.unwrap().counts.stored, 6);

    // Older readers find what they know; the second file has all columns, and empty fields where an event has none.
    assert_eq!(
        files(dir.path()),
        named(&[("events-000001.csv", 2), ("events-000002.csv", 4)])
    );
    let header = |name: &str| {
        fs::read_to_string(dir.path().join(name))
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(header("events-000001.csv"), Event::BASE_COLUMNS.join(","));
    assert_eq!(header("events-000002.csv"), Event::COLUMNS.join(","));
    let back = MemorySink::new("events");
    let source = CsvDirSource::new(dir.path())
        .settle_for(Duration::ZERO)
        .available_now(true);
    source.validate(Rules::default()).to(back.clone()).run().await.unwrap();
    assert_eq!((back.values(), back.rejects()), (events, Vec::new()));
}
