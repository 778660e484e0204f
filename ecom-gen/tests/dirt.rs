//! Each kind of fault alone, read by the directory source: each file ends as the manifest says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use ecom_gen::{Delivery, Dirt, FaultKind, FileState, FilesSink, Manifest, Pace, Rate, RollingPolicy, Shop, ShopFiles};
use ecom_stream::memory::MemorySink;
use ecom_stream::{CsvDirSource, Event, Reason, Rules, SourceExt, SplitState, UnterminatedRecord};
use tempfile::{TempDir, tempdir};
use time::macros::datetime;

/// About 50 files of about 20 rows.
async fn write(dirt: Dirt) -> (TempDir, Manifest) {
    let dir = tempdir().unwrap();
    let delivery = Delivery::exact();
    let shop = Shop::builder(5, datetime!(2026-11-01 12:00 UTC))
        .products(100)
        .delivery(delivery);
    let shop = shop.rate(Rate::per_second(2.0).unwrap());
    let policy = RollingPolicy::default().every(Duration::from_secs(2)..=Duration::from_secs(6));
    let files = ShopFiles::new(shop)
        .rolling(policy)
        .dirt(dirt)
        .manifest(true)
        .pace(Pace::AsFastAsPossible);
    files.events(1_000).to(FilesSink::new(dir.path())).run().await.unwrap();
    let manifest = Manifest::read(dir.path().join("events.manifest.jsonl")).unwrap();
    assert_eq!(manifest.total.as_ref().unwrap().statistics.in_file.sum(), 1_000);
    (dir, manifest)
}

/// Compares what an ingest finds with the manifest.
async fn read(dir: &Path, manifest: &Manifest) -> MemorySink<Event> {
    let sink = MemorySink::new("test");
    let source = CsvDirSource::new(dir)
        .settle_for(Duration::from_millis(1))
        .unterminated_record(UnterminatedRecord::Store)
        .available_now(true);
    source.validate(Rules::default()).to(sink.clone()).run().await.unwrap();
    let (positions, rejects, records) = (sink.positions(), sink.rejects(), sink.records());
    assert_eq!(positions.len(), manifest.files.len());
    for (position, file) in positions.iter().zip(&manifest.files) {
        assert_eq!(position.split.path(), file.name);
        let state = match &position.state {
            SplitState::Finished => FileState::Finished,
            SplitState::Damaged(_) => FileState::Damaged,
            SplitState::SetAside(_) => FileState::SetAside,
            other => panic!("{other:?}"),
        };
        let reason = position.state.refusal().map(|refusal| refusal.reason.as_str());
        assert_eq!((state, reason), (file.state, file.reason.as_deref()), "{}", file.name);
        assert_eq!(position.record, file.statistics.expected.read, "{}", file.name);
        let stored = records
            .iter()
            .filter(|record| record.origin.as_ref().unwrap().split == position.split);
        assert_eq!(stored.count() as u64, file.statistics.expected.stored, "{}", file.name);
        let found = rejects.iter().filter_map(|reject| {
            let origin = reject.origin.as_ref().filter(|origin| origin.split == position.split)?;
            Some((origin.record, origin.byte_offset, reject.refusal.reason.to_string()))
        });
        let mut found: Vec<_> = found.collect();
        found.sort();
        let rejected = file
            .faults
            .iter()
            .filter(|fault| fault.kind != FaultKind::UnterminatedQuote);
        let expected: Vec<_> = rejected
            .filter_map(|fault| Some((fault.record?, fault.byte_offset?, fault.reason.clone()?)))
            .collect();
        assert_eq!(found, expected, "{}", file.name);
    }
    sink
}

fn only(kind: FaultKind, share: f64) -> Dirt {
    let name = serde_json::to_value(kind).unwrap();
    let dirt = serde_json::json!({ name.as_str().unwrap(): share });
    serde_json::from_value(dirt).unwrap()
}

#[tokio::test]
async fn each_kind_of_faulty_row_has_its_reasons() {
    for kind in FaultKind::OF_ROWS {
        let (dir, manifest) = write(only(kind, 0.1)).await;
        read(dir.path(), &manifest).await;
        let total = manifest.total.unwrap();
        let count = total.faults[&kind];
        assert!(
            (70..130).contains(&count) && total.faults.len() == 1,
            "{kind:?}: {:?}",
            total.faults
        );
        assert_eq!(total.statistics.expected.rejected, count);
        let faults = manifest.files.iter().flat_map(|file| &file.faults);
        let mut reasons: Vec<_> = faults.map(|fault| fault.reason.clone().unwrap()).collect();
        reasons.sort();
        reasons.dedup();
        let expected = match kind {
            FaultKind::MissingField => vec![Reason::FIELD_COUNT],
            FaultKind::WrongType => vec![Reason::PRICE_MALFORMED, Reason::QUANTITY_MALFORMED],
            FaultKind::UnknownEventType => vec![Reason::EVENT_TYPE_UNKNOWN],
            FaultKind::NegativePrice => vec![Reason::PRICE_NEGATIVE],
            FaultKind::BadTime => vec![
                Reason::EVENT_TIME_MALFORMED,
                Reason::EVENT_TIME_MISSING,
                Reason::EVENT_TIME_OUT_OF_RANGE,
            ],
            FaultKind::InvalidUtf8 => vec![Reason::INVALID_UTF8],
            FaultKind::NulByte => vec![Reason::NUL_BYTE],
            _ => vec![Reason::TEXT_AFTER_QUOTE],
        };
        assert_eq!(reasons, expected.iter().map(Reason::as_str).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn each_kind_of_faulty_file_ends_as_expected() {
    let (clean, _) = write(Dirt::none()).await;
    for kind in FaultKind::OF_FILES {
        let (dir, manifest) = write(only(kind, 0.4)).await;
        let events = read(dir.path(), &manifest).await.values();
        let total = manifest.total.as_ref().unwrap();
        let count = total.faults[&kind];
        assert!(
            count > 5 && total.faults.len() == 1,
            "{kind:?}: {:?} of {}",
            total.faults,
            total.files
        );
        let faulty = manifest.files.iter().filter(|file| !file.faults.is_empty());
        assert_eq!(faulty.clone().count() as u64, count);
        let lost = total.statistics.in_file.sum() - total.statistics.in_table.sum();
        match kind {
            FaultKind::UnterminatedQuote | FaultKind::TornLastLine => assert_eq!(lost, count),
            FaultKind::MissingColumn => assert!(lost > count),
            _ => assert_eq!(lost, 0, "{kind:?}"),
        }
        if lost == 0 {
            let (mut found, mut expected) = (events, read_clean(clean.path()).await);
            found.sort_by_key(|event| event.event_id);
            expected.sort_by_key(|event| event.event_id);
            assert!(found == expected, "{kind:?}");
        }
        for file in faulty {
            let text = fs::read(dir.path().join(&file.name)).unwrap();
            let has_fault = match kind {
                FaultKind::UnterminatedQuote => file.state == FileState::Damaged && text.ends_with(b"\n"),
                FaultKind::TornLastLine => !text.ends_with(b"\n"),
                FaultKind::ByteOrderMark => text.starts_with(b"\xef\xbb\xbfevent_id,"),
                FaultKind::Crlf => text
                    .split(|byte| *byte == b'\n')
                    .rev()
                    .skip(1)
                    .all(|line| line.ends_with(b"\r")),
                FaultKind::MissingColumn => file.state == FileState::SetAside && file.statistics.expected.read == 0,
                FaultKind::EmptyFile => text.is_empty(),
                FaultKind::HeaderOnly => text == (Event::BASE_COLUMNS.join(",") + "\n").as_bytes(),
                _ => file.version == 2,
            };
            assert!(has_fault, "{kind:?}: {}", file.name);
        }
    }
}

async fn read_clean(dir: &Path) -> Vec<Event> {
    let sink = MemorySink::new("test");
    let source = CsvDirSource::new(dir)
        .settle_for(Duration::from_millis(1))
        .unterminated_record(UnterminatedRecord::Store)
        .available_now(true);
    source.validate(Rules::default()).to(sink.clone()).run().await.unwrap();
    sink.values()
}
