//! `scan` and `deduplicate` against a loop over the whole input.

use std::collections::HashMap;

use ecom_stream::memory::{MemorySink, MemorySource};
use ecom_stream::operators::{Deduplicate, Scan};
use ecom_stream::{ErrorKind, SourceExt};
use proptest::prelude::*;

use crate::event::{Event, at, cases, event_time, seconds, with_watermarks};
use crate::run::{Chain, check};

proptest! {
    #[test]
    fn a_scan_folds_the_records_of_each_key_until_the_key_expires(
        (input, cuts, last) in cases(), lateness in 0..30_i64, time_to_live in 1..60_i64,
    ) {
        let number = |count: &mut u64, event: Event| {
            *count += 1;
            (event.number % 3 > 0).then_some((event.number, *count))
        };
        let scan = || Scan::new(|event: &Event| event.key, seconds(time_to_live), || 0_u64, number);
        let seen = check(|| Chain(event_time(lateness), scan()), &input, &cuts, last);

        let (mut known, mut expected, mut late) = (HashMap::<u8, (u64, i64)>::new(), Vec::new(), Vec::new());
        let mut filtered = 0;
        let events = with_watermarks(&input, lateness);
        for (event, watermark) in &events {
            known.retain(|_, (_, newest)| *newest + time_to_live > *watermark);
            if event.second + time_to_live <= *watermark {
                late.push((event.number as usize, "late".to_owned()));
                continue;
            }
            let (count, newest) = known.entry(event.key).or_insert((0, event.second));
            *count += 1;
            *newest = event.second.max(*newest);
            if event.number % 3 > 0 {
                expected.push((event.number, *count));
            } else {
                filtered += 1;
            }
        }
        prop_assert_eq!(&seen.rejects, &late);
        prop_assert_eq!(seen.filtered, filtered);
        prop_assert_eq!(seen.state_of("scan"), if last || known.is_empty() { 0 } else { known.len() + 1 });
        let seen: Vec<_> = seen.values().into_iter().map(|timed| timed.value).collect();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn kept_records_of_a_key_are_at_least_the_given_time_apart((input, cuts, last) in cases(), lateness in 0..30_i64, within in 1..60_i64) {
        let deduplicate = || Deduplicate::new(|event: &Event| event.key, seconds(within));
        let seen = check(|| Chain(event_time(lateness), deduplicate()), &input, &cuts, last);
        prop_assert_eq!(seen.records.len() + seen.rejects.len() + seen.filtered as usize, input.len());
        if last {
            prop_assert_eq!(seen.state_of("deduplicate"), 0);
        }
        let events = with_watermarks(&input, lateness);
        let late: Vec<_> = seen.rejects.iter().map(|(number, _)| *number as i64).collect();
        let expected_late: Vec<_> = events
            .iter()
            .filter(|(event, watermark)| event.second + within <= *watermark)
            .map(|(event, _)| event.number)
            .collect();
        prop_assert_eq!(&late, &expected_late);
        let kept: Vec<Event> = seen.values().into_iter().map(|timed| timed.value).collect();
        let mut expected = Vec::<Event>::new();
        for (event, _) in events.iter().filter(|(event, _)| !late.contains(&event.number)) {
            let is_double = |kept: &Event| kept.key == event.key && (event.second - kept.second).abs() < within;
            if !expected.iter().any(is_double) {
                expected.push(*event);
            }
        }
        prop_assert_eq!(kept, expected);
    }
}

#[test]
fn a_duration_of_zero_is_refused() {
    fn refused<O: Send + 'static>(source: impl SourceExt<Item = O> + 'static) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let run = source.to(MemorySink::new("test")).run();
        let err = runtime.block_on(run).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Configuration);
        err.to_string()
    }
    let keyed = || {
        let source = MemorySource::new("seconds", vec![1_i64, 2]);
        source.event_time(|second: &i64| at(*second), seconds(5)).key_by(|_| ())
    };
    let err = refused(keyed().deduplicate(seconds(0)));
    assert!(
        err.contains("cannot deduplicate within less than a microsecond"),
        "{err}"
    );
    let err = refused(keyed().scan(seconds(0), || 0, |_: &mut i64, n| Some(n)));
    assert!(err.contains("a microsecond or more"), "{err}");
}

#[test]
fn a_duplicate_of_an_older_kept_record_is_left_out() {
    let sink = MemorySink::new("test");
    let source = MemorySource::new("seconds", vec![0_i64, 15, 5, 9, 25, 20]).max_batch_rows(1);
    let timed = source.event_time(|second: &i64| at(*second), seconds(60));
    let kept = timed.key_by(|_| ()).deduplicate(seconds(10)).map(|timed| timed.value);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let summary = runtime.block_on(kept.to(sink.clone()).run()).unwrap();
    assert_eq!(sink.values(), [0, 15, 25]);
    assert_eq!(summary.counts.filtered, 3);
}

#[test]
fn state_of_another_type_is_refused() {
    let sink = MemorySink::new("test");
    let run = |values: Vec<i64>, signed| {
        let source = MemorySource::new("seconds", values);
        let keyed = source.event_time(|second: &i64| at(*second), seconds(5)).key_by(|_| ());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        match signed {
            true => {
                let last = |last: &mut i64, n| Some(std::mem::replace(last, n) as u64);
                let scan = keyed.scan(seconds(60), || 0, last);
                runtime.block_on(scan.map(|timed| timed.value).to(sink.clone()).run())
            }
            false => {
                let last = |last: &mut u64, n: i64| Some(std::mem::replace(last, n as u64));
                let scan = keyed.scan(seconds(60), || 0, last);
                runtime.block_on(scan.map(|timed| timed.value).to(sink.clone()).run())
            }
        }
    };
    run(vec![1, 2], false).unwrap();
    let err = run(vec![1, 2, 3], true).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Configuration);
    assert!(err.to_string().contains("was written with other types"), "{err}");
    run(vec![1, 2, 3], false).unwrap();
    assert_eq!(sink.values(), [0, 1, 2]);
}
