//! The source of events: batches, live pace, resuming, and valid events.

use std::sync::Arc;

use csv_async::{AsyncReader, AsyncWriter, ByteRecord};
use ecom_stream::memory::{MemorySink, MemorySource};
use ecom_stream::{CsvRecord, ErrorKind, Header, Rules, SourceExt, ToCsv};
use futures::StreamExt;
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::rate::Rate;
use crate::shop::{Delivery, Shop};
use crate::source::pace::Pace;

const START: OffsetDateTime = datetime!(2026-11-01 00:00 UTC);

fn shop() -> ShopBuilder {
    let rate = Rate::per_second(20.0).unwrap();
    Shop::builder(5, START).products(500).rate(rate)
}

fn fast(events: u64) -> ShopSource {
    ShopSource::new(shop()).pace(Pace::AsFastAsPossible).events(events)
}

/// A clock that starts at `START` and follows the clock of tokio, which the tests pause.
fn paused_clock() -> impl Fn() -> OffsetDateTime + Send + Sync + 'static {
    let began = Instant::now();
    move || START + began.elapsed()
}

async fn events_of(source: ShopSource) -> Vec<Record<Event>> {
    let sink = MemorySink::new("test");
    source.to(sink.clone()).run().await.unwrap();
    sink.records()
}

#[tokio::test]
async fn batch_sizes_change_nothing() {
    let whole = events_of(fast(2_500)).await;
    assert_eq!(whole.len(), 2_500);
    for (rows, workers) in [(1, 1), (7, 4), (1_000, 2)] {
        let again = events_of(fast(2_500).max_batch_rows(rows).workers(workers)).await;
        assert!(again == whole, "{rows} rows, {workers} workers");
    }
    let origin = whole[9].origin.as_ref().unwrap();
    assert_eq!(
        (origin.record, origin.byte_offset, origin.split.path()),
        (10, 9, "seed=5")
    );
}

#[tokio::test(start_paused = true)]
async fn live_events_are_handed_out_at_their_time() {
    let clock = paused_clock();
    let shop = || shop().delivery(Delivery::exact());
    let live = ShopSource::new(shop()).events(3_000).clock(paused_clock());
    let sink = MemorySink::new("test");
    let checked = live.inspect(move |batch: &Batch<Event>| {
        let now = clock();
        for record in &batch.records {
            // Not before its time, and soon after it.
            let late = now - record.value.event_time;
            assert!(
                (time::Duration::ZERO..time::Duration::milliseconds(200)).contains(&late),
                "{late}"
            );
        }
    });
    checked.to(sink.clone()).run().await.unwrap();
    let fast = ShopSource::new(shop()).pace(Pace::AsFastAsPossible).events(3_000);
    assert_eq!(sink.records(), events_of(fast).await);
}

#[tokio::test(start_paused = true)]
async fn a_live_source_catches_up_and_then_waits() {
    let shop = shop().rate(Rate::per_second(0.05).unwrap());
    let clock = paused_clock();
    let live = ShopSource::new(shop).clock(move || clock() + Duration::from_secs(3_600));
    let (batches, ()) = live.open(Arc::new(ecom_stream::EmptyLedger::new("test")));
    let caught_up = batches
        .map(Result::unwrap)
        .take_while(|batch| std::future::ready(!batch.is_empty()));
    let batches: Vec<_> = caught_up.collect().await;
    assert!(batches.iter().map(|batch| batch.records.len()).sum::<usize>() > 10);
}

#[tokio::test]
async fn resuming_changes_nothing() {
    let whole = events_of(fast(1_000)).await;
    for cut in [1, 333, 999, 1_000] {
        let sink = MemorySink::new("test");
        fast(cut).to(sink.clone()).run().await.unwrap();
        assert_eq!(sink.positions()[0].state, SplitState::Finished);
        fast(1_000).to(sink.clone()).run().await.unwrap();
        assert_eq!(sink.records(), whole, "{cut}");
        assert_eq!(sink.positions()[0].record, 1_000);
        assert!(sink.counts().is_balanced());
    }
}

#[tokio::test]
async fn another_shop_under_the_same_name_is_refused() {
    let sink = MemorySink::new("test");
    fast(10).to(sink.clone()).run().await.unwrap();
    let other = ShopSource::new(shop().products(501))
        .pace(Pace::AsFastAsPossible)
        .events(20);
    let err = other.to(sink.clone()).run().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Configuration);
    assert!(
        err.report().contains("shop:seed=5 was another shop"),
        "{}",
        err.report()
    );
}

#[tokio::test]
async fn every_event_passes_the_rules() {
    let events: Vec<Event> = shop().products(5_000).build().take(20_000).collect();
    let mut writer = AsyncWriter::from_writer(Vec::new());
    let mut row = ByteRecord::new();
    writer.write_record(Event::BASE_COLUMNS).await.unwrap();
    for event in &events {
        row.clear();
        event.to_csv(&mut row);
        writer.write_byte_record(&row).await.unwrap();
    }
    let text = writer.into_inner().await.unwrap();
    assert!(text.windows(2).any(|pair| pair == b"\"\""), "no name with a quote");

    let header = Arc::new(Header::new(Event::BASE_COLUMNS));
    let mut reader = AsyncReader::from_reader(text.as_slice());
    let records: Vec<CsvRecord> = reader
        .records()
        .map(|record| CsvRecord::new(header.clone(), &record.unwrap()).unwrap())
        .collect()
        .await;
    let sink = MemorySink::new("test");
    let rules = Rules::default().latest(START + Duration::from_secs(3_600));
    let summary = MemorySource::new("csv", records)
        .validate(rules)
        .to(sink.clone())
        .run()
        .await
        .unwrap();
    assert_eq!(summary.counts.rejected, 0);
    assert_eq!(sink.values(), events);
}
