//! Windows against a loop over the whole input.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ecom_stream::aggregate::{Collect, Count, Sum};
use ecom_stream::memory::{MemorySink, MemorySource};
use ecom_stream::operators::{Firing, Window, WindowAggregate, Windowed, Windows, WithLate};
use ecom_stream::{ErrorKind, SourceExt, Timed, Timestamp, Transform};
use proptest::prelude::*;

use crate::event::{Event, NEVER_LATE, at, cases, event_time, second_of, seconds, with_watermarks};
use crate::run::{Chain, Cuts, Entry, check, runs};

type Numbers = Vec<i64>;
type Result = Windowed<u8, Numbers>;

fn numbers(windows: Windows) -> impl Transform<Timed<Event>, Out = Result> + 'static {
    WindowAggregate::new(
        windows,
        |event: &Event| event.key,
        Collect::of(|event: &Event| event.number),
    )
}

fn in_order_of_size(mut result: Result) -> Result {
    result.value.sort_unstable();
    result
}

fn window(end: i64, size: i64) -> Window {
    Window::new(at(end - size), at(end))
}

/// The ends of the windows that a second is in.
fn ends(second: i64, size: i64, slide: i64) -> Vec<i64> {
    let starts = second - size + 1..=second;
    let starts = starts.filter(|start| start.rem_euclid(slide) == 0);
    starts.map(|start| start + size).collect()
}

/// The number of the first event whose watermark has reached `time`; the number of events if there is none.
fn passed(events: &[(Event, i64)], time: i64) -> usize {
    events
        .iter()
        .position(|(_, watermark)| *watermark >= time)
        .unwrap_or(events.len())
}

/// The numbers of the late events, and the numbers of the others in each window and key when it closes, `allowed` after its end.
fn oracle(
    events: &[(Event, i64)],
    (size, slide, allowed): (i64, i64, i64),
) -> (Vec<usize>, BTreeMap<(i64, u8), Numbers>) {
    let mut late = Vec::new();
    let mut contents: BTreeMap<(i64, u8), Numbers> = BTreeMap::new();
    for (number, (event, _)) in events.iter().enumerate() {
        let ends = ends(event.second, size, slide);
        let in_time = |end: &&i64| number < passed(events, **end + allowed);
        if ends.iter().all(|end| !in_time(&end)) {
            late.push(number);
        }
        for end in ends.iter().filter(in_time) {
            contents.entry((*end, event.key)).or_default().push(event.number);
        }
    }
    (late, contents)
}

fn late_numbers(rejects: &[(usize, String)]) -> Vec<usize> {
    assert!(rejects.iter().all(|(_, reason)| reason == "late"));
    rejects.iter().map(|(number, _)| *number).collect()
}

fn sizes() -> impl Strategy<Value = (i64, i64)> {
    prop_oneof![
        Just((10, 10)),
        Just((30, 30)),
        Just((20, 5)),
        Just((20, 8)),
        Just((7, 3)),
        Just((60, 10)),
    ]
}

proptest! {
    #[test]
    fn windows_have_the_records_that_a_plain_loop_finds((input, cuts, last) in cases(), (size, slide) in sizes(), lateness in 0..30_i64) {
        let windows = Windows::hopping(seconds(size), seconds(slide));
        let seen = check(|| Chain(event_time(lateness), numbers(windows)), &input, &cuts, last);
        let events = with_watermarks(&input, lateness);
        let (late, contents) = oracle(&events, (size, slide, 0));
        prop_assert_eq!(late_numbers(&seen.rejects), late);
        let is_closed = |end: i64| last || passed(&events, end) < events.len();
        let closed = contents.into_iter().filter(|((end, _), _)| is_closed(*end));
        let expected: Vec<Result> = closed.map(|((end, key), value)| Windowed::new(key, window(end, size), value, Firing::OnTime)).collect();
        if last {
            prop_assert_eq!(seen.state_of("window"), 0);
        }
        let seen: Vec<_> = seen.values().into_iter().map(in_order_of_size).collect();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn the_last_result_of_an_updated_window_is_what_a_plain_loop_finds(
        (input, cuts, _) in cases(), (size, slide) in sizes(), lateness in 0..20_i64, allowed in 0..40_i64, every in 1..20_i64,
    ) {
        let windows = Windows::hopping(seconds(size), seconds(slide)).allowed_lateness(seconds(allowed)).early(seconds(every));
        let seen = check(|| Chain(event_time(lateness), numbers(windows)), &input, &cuts, true);
        let events = with_watermarks(&input, lateness);
        let (late, contents) = oracle(&events, (size, slide, allowed));
        prop_assert_eq!(late_numbers(&seen.rejects), late);
        prop_assert_eq!(seen.state_of("window"), 0);
        let mut last: BTreeMap<(i64, u8), Result> = BTreeMap::new();
        for result in seen.values().into_iter().map(in_order_of_size) {
            let place = (second_of(result.window.end), result.key);
            let before = last.insert(place, result.clone());
            match (before, result.firing) {
                // A window whose first record is late has its first result at once.
                (None, Firing::Early | Firing::OnTime | Firing::Late) => {}
                (Some(before), Firing::Early) => {
                    prop_assert_eq!(before.firing, Firing::Early);
                    prop_assert!(before.value.len() < result.value.len());
                }
                (Some(before), Firing::OnTime) => prop_assert_eq!(before.firing, Firing::Early),
                (Some(before), Firing::Late) => {
                    prop_assert!(before.firing != Firing::Early);
                    prop_assert_eq!(before.value.len() + 1, result.value.len());
                }
                (_, other) => panic!("{other:?}"),
            }
        }
        let last: BTreeMap<_, _> = last.into_iter().map(|(place, result)| (place, result.value)).collect();
        prop_assert_eq!(last, contents);
    }

    #[test]
    fn every_record_is_in_a_window_or_late((input, cuts, _) in cases(), lateness in 0..20_i64, emit_late in any::<bool>()) {
        let tumbling = || WindowAggregate::new(Windows::tumbling(seconds(10)), |event: &Event| event.key, Count);
        let (counted, late): (u64, u64) = if emit_late {
            let seen = check(|| Chain(event_time(lateness), tumbling().emit_late()), &input, &cuts, true);
            prop_assert!(seen.rejects.is_empty());
            seen.values().into_iter().fold((0, 0), |(counted, late), out| match out {
                WithLate::Result(result) => (counted + result.value, late),
                WithLate::Late(_) => (counted, late + 1),
                other => panic!("{other:?}"),
            })
        } else {
            let seen = check(|| Chain(event_time(lateness), tumbling()), &input, &cuts, true);
            let late = seen.rejects.len() as u64;
            (seen.values().into_iter().map(|result| result.value).sum(), late)
        };
        prop_assert_eq!(counted + late, input.len() as u64);
    }

    #[test]
    fn sessions_without_late_records_are_what_sorting_finds((input, cuts, _) in cases(), gap in 1..40_i64) {
        let make = || Chain(event_time(NEVER_LATE), numbers(Windows::session(seconds(gap))));
        let seen = check(make, &input, &cuts, true);
        prop_assert!(seen.rejects.is_empty());
        prop_assert_eq!(seen.state_of("window"), 0);
        let mut events: Vec<Event> = input.iter().map(|entry| entry.value).collect();
        events.sort_by_key(|event| (event.key, event.second));
        let same = |a: &Event, b: &Event| a.key == b.key && b.second - a.second < gap;
        let mut expected: Vec<Result> = events.chunk_by(same).map(|session| Windowed::new(session[0].key, Window::new(at(session[0].second), at(session[session.len() - 1].second + gap)), session.iter().map(|event| event.number).collect(), Firing::OnTime)).map(in_order_of_size).collect();
        expected.sort_by_key(|result| (result.window.end, result.key));
        let seen: Vec<_> = seen.values().into_iter().map(in_order_of_size).collect();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn sessions_are_what_a_plain_loop_finds((input, cuts, last) in cases(), gap in 1..40_i64, lateness in 0..20_i64) {
        let make = || Chain(event_time(lateness), numbers(Windows::session(seconds(gap))));
        let seen = check(make, &input, &cuts, last);
        let (late, expected) = session_oracle(&with_watermarks(&input, lateness), gap, last);
        prop_assert_eq!(late_numbers(&seen.rejects), late);
        if last {
            prop_assert_eq!(seen.state_of("window"), 0);
        }
        let seen: Vec<_> = seen.values().into_iter().map(in_order_of_size).collect();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn every_record_is_in_an_updated_session_or_late(
        (input, cuts, _) in cases(), gap in 1..40_i64, lateness in 0..20_i64, allowed in 0..40_i64, every in 1..20_i64,
    ) {
        let windows = Windows::session(seconds(gap)).allowed_lateness(seconds(allowed)).early(seconds(every));
        let seen = check(|| Chain(event_time(lateness), numbers(windows)), &input, &cuts, true);
        prop_assert_eq!(seen.state_of("window"), 0);
        let late: BTreeSet<usize> = late_numbers(&seen.rejects).into_iter().collect();
        let results = seen.values();
        let in_sessions: BTreeSet<usize> = results.iter().flat_map(|result| &result.value).map(|number| *number as usize).collect();
        prop_assert!(in_sessions.is_disjoint(&late));
        prop_assert_eq!(in_sessions.len() + late.len(), input.len());
        for (number, result) in results.iter().enumerate() {
            let distinct: BTreeSet<_> = result.value.iter().collect();
            prop_assert_eq!(distinct.len(), result.value.len());
            if result.firing == Firing::Early {
                let closes = |later: &Result| later.firing == Firing::OnTime && result.value.iter().all(|of| later.value.contains(of));
                prop_assert!(results[number..].iter().any(closes));
            }
        }
    }
}

/// The numbers of the late events, and the sessions in the order in which they close.
fn session_oracle(events: &[(Event, i64)], gap: i64, last: bool) -> (Vec<usize>, Vec<Result>) {
    let (mut late, mut open, mut closed) = (Vec::new(), Vec::<Vec<Event>>::new(), Vec::new());
    let end = |session: &Vec<Event>| session.iter().map(|event| event.second).max().unwrap() + gap;
    let mut close = |open: &mut Vec<Vec<Event>>, watermark: i64| {
        open.sort_by_key(|session| (end(session), session[0].key));
        while open.first().is_some_and(|session| end(session) <= watermark) {
            let session = open.remove(0);
            let start = session.iter().map(|event| event.second).min().unwrap();
            closed.push(in_order_of_size(Windowed::new(
                session[0].key,
                Window::new(at(start), at(end(&session))),
                session.iter().map(|event| event.number).collect(),
                Firing::OnTime,
            )));
        }
    };
    for (number, (event, watermark)) in events.iter().enumerate() {
        close(&mut open, *watermark);
        let is_near = |session: &Vec<Event>| {
            session[0].key == event.key && session.iter().any(|other| (other.second - event.second).abs() < gap)
        };
        let (near, mut others): (Vec<_>, Vec<_>) = open.drain(..).partition(is_near);
        if near.is_empty() && event.second + gap <= *watermark {
            late.push(number);
        } else {
            others.push(near.into_iter().flatten().chain([*event]).collect());
        }
        open = others;
    }
    if last {
        close(&mut open, i64::MAX);
    }
    (late, closed)
}

#[test]
fn a_batch_writes_only_the_state_entries_that_it_changed() {
    const KEYS: i64 = 1_000;
    let event = |number: i64, key: i64| Entry {
        split: if key % 2 == 0 { 0 } else { 2 },
        is_last: false,
        value: Event {
            second: number / 100,
            key: (key % 250) as u8,
            number: key,
        },
    };
    // A batch of all keys, and then batches of two events.
    let mut input: Vec<_> = (0..KEYS).map(|key| event(0, key)).collect();
    input.extend((0..100).map(|number| event(number, number * 7)));
    let cuts = Cuts::of(vec![KEYS as usize, 2], 50);
    for windows in [
        Windows::tumbling(seconds(600)),
        Windows::hopping(seconds(600), seconds(60)),
        Windows::session(seconds(600)),
    ] {
        let make = || {
            let aggregate = Sum::of(|event: &Event| event.number);
            Chain(
                event_time(5),
                WindowAggregate::new(windows, |event: &Event| event.key, aggregate),
            )
        };
        let seen = runs(&make, &input, &cuts, false);
        // The keys, the watermark of the windows, that of all splits, those of both splits, and in the first batch those of
        // their sources.
        assert_eq!(seen.changes[0], 250 + 4 + 2);
        assert!(
            seen.changes[1..].iter().all(|changes| *changes <= 2 + 4),
            "{:?}",
            seen.changes
        );
    }
}

#[test]
fn state_of_other_windows_is_refused() {
    let sink = MemorySink::new("test");
    let run = |values: Vec<i64>, size| {
        let source = MemorySource::new("seconds", values);
        let timed = source.event_time(|second: &i64| at(*second), seconds(5));
        let pipeline = timed
            .key_by(|_| ())
            .tumbling(seconds(size))
            .aggregate(Count)
            .to(sink.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(pipeline.run())
    };
    run(vec![1, 2, 3], 60).unwrap();
    let err = run(vec![1, 2, 3, 4], 30).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Configuration);
    assert!(
        err.to_string()
            .contains("the state of operator \"window\" was written with other windows"),
        "{err}"
    );
    run(vec![1, 2, 3, 4], 60).unwrap();
    let err = run(vec![1], 0).unwrap_err();
    assert!(err.to_string().contains("must be a microsecond or more"), "{err}");
}

/// Runs a count of the seconds up to `until` in windows of ten seconds, and returns the counts of the closed windows.
fn run_until(sink: &MemorySink<u64>, until: i64, last: bool) -> Vec<u64> {
    let source = MemorySource::new("seconds", (0..until).collect());
    let timed = source.event_time(|second: &i64| at(*second), seconds(0));
    let counts = timed.key_by(|_| ()).tumbling(seconds(10)).aggregate(Count);
    let pipeline = counts.map(|result| result.value).to(sink.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let run = async {
        match last {
            true => pipeline.last_run(true).run().await,
            false => pipeline.run().await,
        }
    };
    runtime.block_on(run).unwrap();
    sink.values()
}

#[test]
fn only_the_end_of_the_last_run_closes_windows() {
    let sink = MemorySink::new("test");
    assert_eq!(run_until(&sink, 15, false), [10]);
    assert_eq!(run_until(&sink, 15, false), [10]);
    assert_eq!(run_until(&sink, 27, false), [10, 10]);
    assert_eq!(run_until(&sink, 29, true), [10, 10, 9]);
    // Every record after the last run is late.
    assert_eq!(run_until(&sink, 40, true), [10, 10, 9]);
    assert_eq!(sink.rejects().len(), 11);
    assert!(sink.rejects()[0].refusal.detail.contains("came after the last run"));
}

#[test]
fn stopping_a_run_closes_no_window() {
    let sink = MemorySink::new("test");
    let source = MemorySource::new("seconds", (0..5).collect::<Vec<i64>>()).max_batch_rows(1);
    let timed = source.event_time(|second: &i64| at(*second), seconds(0));
    let counts = timed.key_by(|_| ()).tumbling(seconds(10)).aggregate(Count);
    let pipeline = counts.map(|result| result.value).to(sink.clone()).last_run(true);
    let mut progress = pipeline.subscribe();
    let stop = async move {
        progress.next().await;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let summary = runtime.block_on(pipeline.run_until(stop)).unwrap();
    if summary.stopped {
        assert!(sink.values().is_empty());
    }
    assert_eq!(run_until(&sink, 12, false), [10]);
}

#[test]
fn windows_at_the_first_and_the_last_timestamp_are_emitted() {
    let sink = MemorySink::new("test");
    let times = vec![i64::MIN + 1, -1, 0, i64::MAX - 1];
    let source = MemorySource::new("micros", times);
    let timed = source.event_time(|micros: &i64| Timestamp::from_micros(*micros), Duration::MAX);
    let counts = timed.key_by(|_| ()).tumbling(seconds(10)).aggregate(Count);
    let pipeline = counts.map(|result| result.value).to(sink.clone()).last_run(true);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(pipeline.run()).unwrap();
    assert_eq!(sink.values(), [1; 4]);
}

#[test]
fn state_of_another_aggregate_is_refused() {
    fn run<A>(aggregate: A, values: Vec<i64>, sink: &MemorySink<A::Out>) -> ecom_stream::Result<()>
    where
        A: ecom_stream::aggregate::Aggregate<i64> + 'static,
    {
        let source = MemorySource::new("seconds", values);
        let timed = source.event_time(|second: &i64| at(*second), seconds(0));
        let counts = timed.key_by(|_| ()).tumbling(seconds(10)).aggregate(aggregate);
        let pipeline = counts.map(|result| result.value).to(sink.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(pipeline.run()).map(drop)
    }
    let sink = MemorySink::<u64>::new("test");
    run(Count, vec![1, 2, 3, 4], &sink).unwrap();
    // Its accumulator is signed, and postcard encodes signed integers otherwise: a count would be read as half of it.
    struct Half;
    impl ecom_stream::aggregate::Aggregate<i64> for Half {
        type Acc = i64;
        type Out = u64;

        fn empty(&self) -> i64 {
            0
        }

        fn add(&self, acc: &mut i64, _: &i64, _: Timestamp) {
            *acc += 1;
        }

        fn merge(&self, acc: &mut i64, other: &i64) {
            *acc += other;
        }

        fn result(&self, acc: &i64) -> u64 {
            *acc as u64
        }
    }
    let err = run(Half, vec![1, 2, 3, 4, 20], &sink).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Configuration);
    assert!(
        err.report()
            .contains("the type of its key, its state or its aggregate has changed"),
        "{}",
        err.report()
    );
    run(Count, vec![1, 2, 3, 4, 20], &sink).unwrap();
    assert_eq!(sink.values(), [4]);
}
