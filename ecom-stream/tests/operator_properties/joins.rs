//! Interval joins against a loop over all pairs.

use std::collections::BTreeSet;

use ecom_stream::operators::{IntervalJoin, Joined, Map, WithLate};
use ecom_stream::{Either, Timed, Transform};
use proptest::prelude::*;
use time::Duration;

use crate::event::{Event, cases, event_time, seconds as std_seconds, with_watermarks};
use crate::run::{Chain, check};

/// A record of either side: its second, its number and its key.
type Side = (i64, i64, u8);
type Key = fn(&Side) -> u8;
type Sided = Timed<Either<Side, Side>>;

fn is_left(event: &Event) -> bool {
    event.number % 3 != 0
}

fn side(timed: Timed<Event>) -> Sided {
    timed.map(|event| {
        let side = (event.second, event.number, event.key);
        if is_left(&event) {
            Either::Left(side)
        } else {
            Either::Right(side)
        }
    })
}

fn interval(from: i64, to: i64) -> IntervalJoin<Key, Key> {
    let key: Key = |side| side.2;
    IntervalJoin::new(key, key, Duration::seconds(from), Duration::seconds(to))
}

fn join(
    lateness: i64,
    from: i64,
    to: i64,
    keep: (bool, bool),
) -> impl Transform<Event, Out = Timed<Joined<Side, Side>>> {
    let mut join = interval(from, to);
    if keep.0 {
        join = join.keep_left(true);
    }
    if keep.1 {
        join = join.keep_right(true);
    }
    Chain(Chain(event_time(lateness), Map::new(side as fn(_) -> _)), join)
}

fn numbers(joined: Joined<Side, Side>) -> (Option<i64>, Option<i64>) {
    let (left, right) = joined.into_options();
    (left.map(|side| side.1), right.map(|side| side.1))
}

proptest! {
    #[test]
    fn a_join_finds_the_pairs_that_a_plain_loop_finds(
        (input, cuts, last) in cases(), lateness in 0..30_i64, from in -30..30_i64, length in 0..30_i64, keep in any::<(bool, bool)>(),
    ) {
        let to = from + length;
        let seen = check(|| join(lateness, from, to, keep), &input, &cuts, last);
        let events = with_watermarks(&input, lateness);
        let late: Vec<_> = events.iter().filter(|(event, watermark)| event.second < *watermark).map(|(event, _)| event.number as usize).collect();
        prop_assert_eq!(&seen.rejects.iter().map(|(number, _)| *number).collect::<Vec<_>>(), &late);
        if last {
            prop_assert_eq!(seen.state_of("join"), 0);
        }

        let in_time: Vec<Event> = events.iter().filter(|(event, watermark)| event.second >= *watermark).map(|(event, _)| *event).collect();
        let mut expected = BTreeSet::new();
        for left in in_time.iter().filter(|event| is_left(event)) {
            for right in in_time.iter().filter(|event| !is_left(event) && event.key == left.key) {
                if (from..=to).contains(&(right.second - left.second)) {
                    expected.insert((Some(left.number), Some(right.number)));
                }
            }
        }
        // The records without a match that nothing can match any more.
        let watermark = if last { i64::MAX } else { events.last().map_or(i64::MIN, |(_, watermark)| *watermark) };
        let matched: BTreeSet<i64> = expected.iter().flat_map(|(left, right)| [*left, *right]).flatten().collect();
        for event in in_time.iter().filter(|event| !matched.contains(&event.number)) {
            let (keeps, until) = if is_left(event) { (keep.0, event.second + to) } else { (keep.1, event.second - from) };
            if keeps && until < watermark {
                expected.insert(if is_left(event) { (Some(event.number), None) } else { (None, Some(event.number)) });
            }
        }

        let emitted = check(|| Chain(Chain(event_time(lateness), Map::new(side as fn(_) -> _)), interval(from, to).emit_late()), &input, &cuts, last);
        prop_assert!(emitted.rejects.is_empty());
        let emitted: Vec<_> = emitted.values().into_iter().filter_map(|out| match out {
            WithLate::Late(side) => Some(side.into_inner().1 as usize),
            _ => None,
        }).collect();
        prop_assert_eq!(emitted, late);

        let watermarks: Vec<_> = seen.records.iter().map(|record| record.value.watermark).collect();
        prop_assert!(watermarks.is_sorted());
        prop_assert!(seen.records.iter().all(|record| !record.value.is_late()));
        let seen: Vec<_> = seen.values().into_iter().map(|timed| numbers(timed.value)).collect();
        prop_assert_eq!(seen.len(), expected.len());
        prop_assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}

#[test]
fn an_unbounded_interval_does_not_overflow() {
    use ecom_stream::memory::{MemorySink, MemorySource};
    use ecom_stream::{SourceExt, Timestamp};
    let values = vec![Either::Left(1), Either::Right(2), Either::Left(3)];
    let sink = MemorySink::new("test");
    let source = MemorySource::new("numbers", values);
    let timed = source.event_time(
        |n: &Either<i64, i64>| Timestamp::from_micros(n.into_inner()),
        std_seconds(0),
    );
    let join = timed.join_within(std::time::Duration::MAX, |_: &i64| (), |_: &i64| ());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime
        .block_on(join.map(|timed| timed.value).to(sink.clone()).run())
        .unwrap();
    assert_eq!(sink.values(), [Joined::Both(1, 2)]);
}

#[test]
fn an_interval_that_ends_before_it_begins_is_refused() {
    use ecom_stream::memory::{MemorySink, MemorySource};
    use ecom_stream::{ErrorKind, SourceExt, Timestamp};
    let source = MemorySource::new("numbers", vec![Either::<i64, i64>::Left(1)]);
    let timed = source.event_time(
        |n: &Either<i64, i64>| Timestamp::from_micros(n.into_inner()),
        std_seconds(0),
    );
    let key = |_: &i64| ();
    let join = IntervalJoin::new(key, key, Duration::seconds(30), Duration::seconds(-30));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let err = runtime.block_on(timed.via(join).to(MemorySink::new("test")).run());
    let err = err.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Configuration);
    assert!(err.to_string().contains("it ends before it begins"), "{err}");
}

/// As after a merge of two streams with watermarks of their own: the records that this one would match were removed by the
/// watermark of the record before it.
#[test]
fn a_record_behind_an_earlier_records_watermark_is_late() {
    use ecom_stream::SourceExt;
    use ecom_stream::memory::{MemorySink, MemorySource};
    let timed = |value, time, watermark| Timed::new(value, crate::event::at(time), crate::event::at(watermark));
    let records = vec![
        timed(Either::Right(1), 10, 0),
        timed(Either::Right(2), 200, 100),
        timed(Either::Left(3), 10, 0),
    ];
    let key = |_: &i64| ();
    let join = IntervalJoin::new(key, key, Duration::ZERO, Duration::seconds(30));
    let sink = MemorySink::new("test");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let run = MemorySource::new("records", records).via(join).to(sink.clone()).run();
    runtime.block_on(run).unwrap();
    assert!(sink.values().is_empty());
    assert_eq!(sink.rejects().len(), 1);
}
