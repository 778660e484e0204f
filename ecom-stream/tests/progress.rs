//! The progress, the lag and the stages that a run publishes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use ecom_stream::memory::{MemorySink, MemorySource};
use ecom_stream::{
    BatchStream, Checkpoint, Commit, CsvRecord, Error, ErrorKind, Header, ProgressReceiver, QueueLimits, Result, Rules,
    Sink, SourceExt, StageDurations, Topology, Transform,
};
use futures::{Stream, StreamExt, TryStreamExt};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;

/// A transform that delays each batch, so that the source seems slow.
struct Slow(Duration);

impl<T: Send + 'static> Transform<T> for Slow {
    type Out = T;

    fn apply(self, input: impl BatchStream<T> + 'static, _: Checkpoint) -> impl BatchStream<T> {
        input.and_then(move |batch| async move {
            sleep(self.0).await;
            Ok(batch)
        })
    }
}

/// A sink that needs some time for each batch.
struct SlowSink<T> {
    sink: MemorySink<T>,
    takes: Duration,
}

impl<T: Send + 'static> Sink<T> for SlowSink<T> {
    async fn ledger(&mut self, topology: &Topology) -> Result<Checkpoint> {
        Sink::<T>::ledger(&mut self.sink, topology).await
    }

    fn commit(self, input: impl BatchStream<T> + 'static) -> impl Stream<Item = Result<Commit>> + Send {
        let takes = self.takes;
        self.sink.commit(input).and_then(move |mut commit| async move {
            sleep(takes).await;
            commit.stages.add("writing", takes);
            Ok(commit)
        })
    }
}

fn numbers(rows: usize) -> MemorySource<usize> {
    MemorySource::new("numbers", (0..rows).collect()).max_batch_rows(10)
}

async fn all(mut progress: ProgressReceiver) -> Vec<Arc<ecom_stream::Progress>> {
    let mut seen = Vec::new();
    while let Some(progress) = progress.next().await {
        seen.push(progress);
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn progress_is_published_for_each_epoch_and_totals_add_up() {
    let second = Duration::from_secs(1);
    let pipeline = numbers(30)
        .filter(|n| n % 10 != 0)
        .via(Slow(second))
        .to(MemorySink::new("test"));
    let progress = pipeline.subscribe();
    assert!(progress.latest().is_none(), "nothing is committed yet");
    let seen = tokio::spawn(all(progress.clone()));
    let summary = pipeline.run().await.unwrap();

    let seen = seen.await.unwrap();
    assert_eq!(seen.iter().map(|p| p.commit.epoch).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(seen.iter().map(|p| p.epochs).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(seen.iter().map(|p| p.counts.stored).collect::<Vec<_>>(), [9, 18, 27]);
    assert!(
        seen.iter()
            .all(|p| p.commit.counts.stored == 9 && p.commit.counts.filtered == 1)
    );
    assert_eq!(
        seen.iter().map(|p| p.commit.positions[0].record).collect::<Vec<_>>(),
        [10, 20, 30]
    );
    assert_eq!(seen.iter().map(|p| p.splits.finished).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!(
        seen.iter().map(|p| p.elapsed).collect::<Vec<_>>(),
        [second, second * 2, second * 3]
    );

    let last = progress.latest().expect("the last one stays");
    assert!(Arc::ptr_eq(&last, &seen[2]));
    assert_eq!((last.epochs, last.counts), (summary.epochs, summary.counts));
    assert_eq!(last.bytes, 30 * size_of::<usize>() as u64);
    assert_eq!(last.stages.get(StageDurations::INPUT), second * 3);
    assert_eq!(last.stages.get(StageDurations::BACKPRESSURE), Duration::ZERO);
    assert_eq!((last.rows_per_s.run, last.rows_per_s.recent), (10.0, 10.0));
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_shows_as_backpressure_and_as_waiting_in_the_queue() {
    let takes = Duration::from_secs(5);
    let sink = SlowSink {
        sink: MemorySink::new("test"),
        takes,
    };
    let limits = QueueLimits::default().max_rows(10);
    let pipeline = numbers(80).to(sink).queue_limits(limits);
    let progress = pipeline.subscribe();
    pipeline.run().await.unwrap();

    let last = progress.latest().unwrap();
    assert_eq!(last.elapsed, takes * 8);
    assert_eq!(last.commit.stages.get("writing"), takes);
    assert_eq!(last.stages.get("writing"), takes * 8);
    // Two batches need not wait: the one that is written, and the one in the queue.
    assert_eq!(last.stages.get(StageDurations::BACKPRESSURE), takes * 6);
    assert_eq!(last.commit.times.longest_queued, takes);
    assert_eq!(last.rows_per_s.run, 2.0);
    // The batches of the last 10 seconds, and the one that was committed when they began.
    assert_eq!(last.rows_per_s.recent, 3.0);
}

#[tokio::test]
async fn an_idle_receiver_holds_up_nothing_and_sees_the_latest() {
    let pipeline = numbers(50_000).to(MemorySink::new("test"));
    let mut idle = pipeline.subscribe();
    pipeline.run().await.unwrap();
    assert_eq!(idle.next().await.unwrap().epochs, 5_000);
    assert!(idle.next().await.is_none());
    assert_eq!(idle.latest().unwrap().epochs, 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_can_be_cloned_and_dropped_during_the_run() {
    let pipeline = numbers(50)
        .via(Slow(Duration::from_secs(1)))
        .to(MemorySink::new("test"));
    let mut first = pipeline.subscribe();
    let late = async {
        assert_eq!(first.next().await.unwrap().epochs, 1);
        let mut second = first.clone();
        assert_eq!(second.latest().unwrap().epochs, 1);
        drop(first);
        let mut seen = Vec::new();
        while let Some(progress) = second.next().await {
            seen.push(progress.epochs);
        }
        seen
    };
    let (summary, seen) = tokio::join!(pipeline.run(), late);
    assert_eq!(summary.unwrap().epochs, 5);
    assert_eq!(seen, [2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn receivers_end_with_the_run_however_it_ends() {
    let never_run = numbers(10).to(MemorySink::new("test"));
    let mut progress = never_run.subscribe();
    drop(never_run);
    assert!(progress.next().await.is_none());

    struct Fails;
    impl Transform<usize> for Fails {
        type Out = usize;
        fn apply(self, input: impl BatchStream<usize> + 'static, _: Checkpoint) -> impl BatchStream<usize> {
            try_stream! {
                let mut input = pin!(input);
                if let Some(batch) = input.next().await {
                    yield batch?;
                }
                sleep(Duration::from_secs(1)).await;
                Err(Error::new(ErrorKind::Source, "as the test wants it"))?;
            }
        }
    }
    let pipeline = numbers(30).via(Fails).to(MemorySink::new("test"));
    let progress = pipeline.subscribe();
    let seen = tokio::spawn(all(progress));
    pipeline.run().await.unwrap_err();
    assert_eq!(seen.await.unwrap().len(), 1);

    let pipeline = numbers(30)
        .via(Slow(Duration::from_secs(60)))
        .to(MemorySink::new("test"));
    let seen = tokio::spawn(all(pipeline.subscribe()));
    let dropped = tokio::time::timeout(Duration::from_secs(90), pipeline.run()).await;
    assert!(dropped.is_err());
    assert_eq!(seen.await.unwrap().len(), 1);
}

#[tokio::test]
async fn lag_is_measured_from_the_event_times() {
    let header = Arc::new(Header::new([
        "event_time",
        "event_type",
        "user_id",
        "session_id",
        "product_id",
    ]));
    let hour = Duration::from_secs(3_600);
    let now = OffsetDateTime::now_utc();
    let record = |time: OffsetDateTime| {
        let time = time.format(&Rfc3339).unwrap();
        CsvRecord::new(header.clone(), [&*time, "view", "u", "s", "p"]).unwrap()
    };
    let run = async |records: Vec<CsvRecord>| {
        let pipeline = MemorySource::new("csv", records)
            .validate(Rules::default())
            .stamp()
            .to(MemorySink::new("test"));
        let progress = pipeline.subscribe();
        pipeline.run().await.unwrap();
        progress.latest().unwrap()
    };

    let past = run(vec![record(now - hour), record(now - hour * 2)]).await;
    let (newest, oldest) = (past.lag.newest_event.unwrap(), past.lag.oldest_event.unwrap());
    // Times are cut to microseconds.
    assert!(newest >= hour && newest < hour * 2, "{:?}", past.lag);
    assert!(oldest >= hour * 2, "{:?}", past.lag);
    assert_eq!(past.lag.ahead, Duration::ZERO);

    let future = run(vec![record(now + hour)]).await;
    assert_eq!(future.lag.newest_event, Some(Duration::ZERO));
    assert!(future.lag.ahead > Duration::ZERO, "{:?}", future.lag);
}
