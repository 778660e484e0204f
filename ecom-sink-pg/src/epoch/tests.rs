//! Unit tests of epochs.

use bytes::Bytes;
use ecom_stream::{
    Batch, Counts, Event, EventType, Origin, Position, Record, Refusal, Reject, Split, SplitState, StateChange,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::epoch::*;
use super::limits::EpochLimits;
use super::row;
use super::uncommitted_keys::{EventKey, UncommittedKeys};
use crate::tables::Events;

fn batch(split: &Split, ids: impl IntoIterator<Item = u128>, days_apart: i64) -> Batch<Event> {
    let mut batch = Batch::default();
    for (n, id) in ids.into_iter().enumerate() {
        let time = datetime!(2026-01-01 00:00 UTC) + Duration::days(days_apart * n as i64);
        batch.records.push(Record::new(
            Event::new(Uuid::from_u128(id), time, EventType::View, "u", "s", "p"),
            Some(Origin::new(split.clone(), n as u64 + 1, 0, Bytes::from_static(b"raw"))),
        ));
    }
    batch.count_of(split).read = batch.records.len() as u64;
    batch.positions.push(
        Position::new(split.clone(), 1, batch.records.len() as u64)
            .with_state(SplitState::Finished)
            .with_mark(ecom_stream::Mark::NONE),
    );
    batch
}

fn total(epoch: &Epoch) -> Counts {
    let mut total = Counts::default();
    for progress in epoch.split_deltas() {
        total += progress.counts;
    }
    total
}

#[test]
fn an_epoch_takes_a_batch_whatever_its_limits() {
    let mut epoch = Epoch::new(1, EpochLimits::default().max_rows(0).max_bytes(0));
    assert!(!epoch.is_full());
    let now = OffsetDateTime::UNIX_EPOCH;
    epoch.add(
        batch(&Split::new("csv", "a"), [1], 0),
        &mut Events,
        |_| 1,
        &mut UncommittedKeys::default(),
        now,
    );
    assert!(epoch.is_full());
}

#[test]
fn state_without_rows_fills_an_epoch_too() {
    let mut epoch = Epoch::new(1, EpochLimits::default().max_bytes(1_000));
    let change = |key: u8| StateChange::new("counts", vec![key], 1, Some(vec![0; 100]));
    for key in 0..10 {
        assert_eq!(epoch.is_full(), key >= 5, "{key} entries");
        let state = Batch::new(Vec::new()).with_state(vec![change(key)]);
        epoch.add(
            state,
            &mut Events,
            |_| 1,
            &mut UncommittedKeys::default(),
            OffsetDateTime::UNIX_EPOCH,
        );
    }
}

#[test]
fn the_input_that_rows_and_rejects_keep_in_memory_fills_an_epoch() {
    let split = Split::new("csv", "a");
    let limits = EpochLimits::default().max_bytes(100_000);
    let add = |epoch: &mut Epoch, batch| {
        epoch.add(
            batch,
            &mut Events,
            |_| 1,
            &mut UncommittedKeys::default(),
            OffsetDateTime::UNIX_EPOCH,
        );
    };
    let long = |n: u64| Origin::new(split.clone(), n, 0, Bytes::from(vec![b'x'; 60_000]));
    // Small rows whose records are long, small slices of what was read at once, and long rejects.
    let rows = |n: u64| {
        let mut batch = batch(&split, [n.into()], 0);
        batch.records[0].origin = Some(long(n));
        batch
    };
    let slices = |n: u64| batch(&split, [n.into()], 0).with_bytes(60_000);
    let rejects = |n: u64| {
        let refusal = Refusal::new("product_name_too_long", "");
        Batch::new(Vec::new()).with_rejects(vec![Reject::new(long(n), refusal)])
    };
    type Kind<'a> = (&'a dyn Fn(u64) -> Batch<Event>, u64);
    let kinds: [Kind<'_>; 3] = [(&rows, 4), (&slices, 4), (&rejects, 2)];
    for (kind, fills) in kinds {
        let mut epoch = Epoch::new(1, limits);
        for n in 0..fills {
            assert!(!epoch.is_full(), "{n} of {fills}");
            let batch = kind(n);
            assert_eq!(kept_bytes(&batch), 60_000);
            add(&mut epoch, batch);
        }
        assert!(epoch.is_full());
    }
    // Nothing is kept of a batch without records, however much input it stands for.
    assert_eq!(kept_bytes(&Batch::<Event>::default().with_bytes(60_000)), 0);
}

#[test]
fn every_row_is_accounted_for() {
    let (a, b) = (Split::new("csv", "a"), Split::new("csv", "b"));
    let mut epoch = Epoch::new(1, EpochLimits::default());
    let (mut uncommitted, now) = (UncommittedKeys::default(), OffsetDateTime::UNIX_EPOCH);
    epoch.add(batch(&a, [1, 2, 2, 3], 0), &mut Events, |_| 1, &mut uncommitted, now);
    epoch.add(batch(&b, [3, 4], 0), &mut Events, |_| 2, &mut uncommitted, now);
    epoch.leave_out(0, LeftOut::Duplicate);
    epoch.leave_out(3, LeftOut::Refused(Refusal::new("22003", "too much")));
    let progress = epoch.split_deltas();
    let expected = Counts::default()
        .with_read(4)
        .with_stored(1)
        .with_duplicates(2)
        .with_rejected(1);
    assert_eq!(progress[0].counts, expected);
    // The other 3 has taken the place of the one that was rejected.
    let expected = Counts::default().with_read(2).with_stored(2);
    assert_eq!(progress[1].counts, expected);
    assert!(total(&epoch).is_balanced());
    let letters = epoch.dead_letters();
    assert_eq!((letters.len(), letters[0].split_id), (1, Some(1)));
    assert_eq!(epoch.rows_to_copy(0..epoch.len()), 3);
}

#[test]
fn a_duplicate_is_copied_in_place_of_a_rejected_row() {
    let split = Split::new("csv", "a");
    let mut epoch = Epoch::new(1, EpochLimits::default());
    epoch.add(
        batch(&split, [7, 7, 7], 0),
        &mut Events,
        |_| 1,
        &mut UncommittedKeys::default(),
        OffsetDateTime::UNIX_EPOCH,
    );
    assert_eq!((epoch.rows_to_copy(0..3), total(&epoch).duplicates), (1, 2));
    epoch.leave_out(0, LeftOut::Refused(Refusal::new("23514", "no")));
    assert_eq!(epoch.open_keys().0, [1]);
    let counts = total(&epoch);
    assert_eq!((counts.stored, counts.duplicates, counts.rejected), (1, 1, 1));
    assert!(counts.is_balanced());
}

#[test]
fn of_rows_with_one_key_the_first_is_stored_across_epochs() {
    let split = Split::new("csv", "a");
    let (mut uncommitted, now) = (UncommittedKeys::default(), OffsetDateTime::UNIX_EPOCH);
    let mut older = Epoch::new(1, EpochLimits::default());
    let mut younger = Epoch::new(2, EpochLimits::default());
    older.add(batch(&split, [1, 2, 3], 0), &mut Events, |_| 1, &mut uncommitted, now);
    younger.add(
        batch(&split, [2, 2, 3, 4], 0),
        &mut Events,
        |_| 1,
        &mut uncommitted,
        now,
    );
    assert_eq!((total(&older).stored, total(&younger).stored), (3, 1));

    // What the older one could not store, the younger one does: the first of two.
    older.leave_out(1, LeftOut::Refused(Refusal::new("23514", "no")));
    let refused: Vec<EventKey> = older.refused_keys().collect();
    assert_eq!(refused.len(), 1);
    assert!(younger.reinstate_duplicate(&refused[0]));
    assert_eq!(younger.open_keys().0, [0, 3]);

    uncommitted.remove_epoch(1);
    let mut youngest = Epoch::new(3, EpochLimits::default());
    youngest.add(
        batch(&split, [1, 2, 3, 4], 0),
        &mut Events,
        |_| 1,
        &mut uncommitted,
        now,
    );
    // 4 is in an epoch that is open still; the table has the others, or can have them.
    assert_eq!(youngest.open_keys().0, [0, 1, 2]);
}

#[test]
fn pieces_omit_rows_that_are_left_out() {
    let split = Split::new("csv", "a");
    let mut epoch = Epoch::new(1, EpochLimits::default());
    epoch.add(
        batch(&split, 0..5_000, 0),
        &mut Events,
        |_| 1,
        &mut UncommittedKeys::default(),
        OffsetDateTime::UNIX_EPOCH,
    );
    epoch.seal();
    let all: usize = epoch.pieces(0..5_000).map(|piece| piece.len()).sum();
    assert!(epoch.pieces(0..5_000).count() > 4);
    let rows = all - row::HEADER.len() - row::TRAILER.len();
    epoch.leave_out(17, LeftOut::Duplicate);
    let rest: usize = epoch.pieces(0..5_000).map(|piece| piece.len()).sum();
    assert_eq!(all - rest, rows / 5_000);
    let none: usize = epoch.pieces(17..18).map(|piece| piece.len()).sum();
    assert_eq!(none, row::HEADER.len() + row::TRAILER.len());
}

/// The ids of rows in the order in which they are copied.
fn copied_ids(epoch: &Epoch) -> Vec<Vec<u8>> {
    let data: Vec<u8> = epoch.pieces(0..epoch.len()).flatten().collect();
    let body = &data[row::HEADER.len()..data.len() - row::TRAILER.len()];
    // All rows of these tests are of one length.
    let rows = body.chunks(body.len() / epoch.len());
    rows.map(|row| row[2 + 4 * 12 + 4..][..16].to_vec()).collect()
}

#[test]
fn scattered_ids_are_copied_in_their_order_and_others_as_they_come() {
    let split = Split::new("csv", "a");
    let id = |id: u128| Uuid::from_u128(id).into_bytes().to_vec();
    let copied = |ids: &[u128]| {
        let mut epoch = Epoch::new(1, EpochLimits::default());
        let now = OffsetDateTime::UNIX_EPOCH;
        epoch.add(
            batch(&split, ids.iter().copied(), 0),
            &mut Events,
            |_| 1,
            &mut UncommittedKeys::default(),
            now,
        );
        epoch.seal();
        copied_ids(&epoch)
    };
    let random = [5 << 100, 1 << 100, 4 << 100, 2 << 100, 3 << 100];
    assert_eq!(copied(&random), [1, 2, 3, 4, 5].map(|n| id(n << 100)));
    // Of one millisecond.
    let by_time = [3, 2, 1, 5, 4];
    assert_eq!(copied(&by_time), by_time.map(id));
}

#[test]
fn an_epoch_over_many_days_is_full() {
    let split = Split::new("csv", "a");
    let mut epoch = Epoch::new(1, EpochLimits::default());
    epoch.add(
        batch(&split, 0..600, 1),
        &mut Events,
        |_| 1,
        &mut UncommittedKeys::default(),
        OffsetDateTime::UNIX_EPOCH,
    );
    assert!(epoch.is_full());
    assert_eq!(epoch.days().len(), 600);
    assert_eq!(total(&epoch).stored, 600);
}
