//! Watermarks against a loop that looks at all records so far.

use std::time::Duration;

use ecom_stream::memory::{MemorySink, MemorySource};
use ecom_stream::operators::EventTime;
use ecom_stream::{SourceExt, Timestamp};
use proptest::prelude::*;

use crate::run::{Entry, check, cuts, entries};

const LATENESS: i64 = 8;
const IDLE_LEAD: i64 = 40;
const IDLE_RECORDS: u64 = 5;

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds as u64)
}

fn at(second: &i64) -> Timestamp {
    Timestamp::from_micros(second.saturating_mul(1_000_000))
}

fn event_time() -> EventTime<fn(&i64) -> Timestamp> {
    EventTime::new(at as fn(&i64) -> Timestamp, seconds(LATENESS)).idle_after(seconds(IDLE_LEAD), IDLE_RECORDS)
}

/// Times that mostly increase, with a jump of a minute now and then.
fn times() -> impl Strategy<Value = Vec<Entry<i64>>> {
    let step = || (0..6_i64, -20..4_i64, prop::bool::weighted(0.05));
    entries(step).prop_map(|mut entries| {
        let mut now = 1_000;
        let mut timed = Vec::new();
        for Entry {
            split,
            is_last,
            value: (step, jitter, leaps),
        } in entries.drain(..)
        {
            now += step + if leaps { 60 } else { 0 };
            timed.push(Entry {
                split,
                is_last,
                value: now + jitter,
            });
        }
        timed
    })
}

/// The watermark of each record, computed from all records before it.
fn oracle(input: &[Entry<i64>]) -> Vec<i64> {
    #[derive(Clone, Copy)]
    struct Active {
        newest: i64,
        newest_of_all: i64,
        number: u64,
    }
    let (mut active, mut watermark) = ([None::<Active>; 3], i64::MIN);
    // How far each source has come with splits that have ended.
    let mut sources = [None::<Active>; 2];
    let source_of = |split: usize| split / 2;
    let mut newest_of_all = i64::MIN;
    let mut watermarks = Vec::new();
    for (number, entry) in (1..).zip(input) {
        newest_of_all = newest_of_all.max(entry.value);
        if number == 1 {
            sources = [Some(Active {
                newest: i64::MIN,
                newest_of_all,
                number,
            }); 2];
        }
        let newest = active[entry.split].map_or(entry.value, |split| split.newest.max(entry.value));
        active[entry.split] = Some(Active {
            newest,
            newest_of_all,
            number,
        });
        for split in active.iter_mut().chain(&mut sources) {
            let is_idle = |split: &Active| {
                newest_of_all > split.newest_of_all + IDLE_LEAD && number > split.number + IDLE_RECORDS
            };
            *split = split.filter(|split| !is_idle(split));
        }
        let minimum = |active: &[Option<Active>; 3], sources: &[Option<Active>; 2]| {
            let is_read = |source: usize| (0..3).any(|split| source_of(split) == source && active[split].is_some());
            let between = (0..2)
                .filter(|source| !is_read(*source))
                .filter_map(|source| sources[source]);
            let all = active.iter().flatten().copied().chain(between);
            all.map(|one| one.newest).min().unwrap()
        };
        watermark = watermark.max(minimum(&active, &sources).saturating_sub(LATENESS));
        watermarks.push(watermark);
        if entry.is_last {
            let left = active[entry.split].take().unwrap();
            let source = &mut sources[source_of(entry.split)];
            let before = source.unwrap_or(left);
            *source = Some(Active {
                newest: before.newest.max(left.newest),
                ..left
            });
            watermark = watermark.max(minimum(&active, &sources).saturating_sub(LATENESS));
        }
    }
    watermarks
}

proptest! {
    #[test]
    fn the_watermark_is_the_minimum_of_the_splits_that_are_read(input in times(), cuts in cuts()) {
        let seen = check(event_time, &input, &cuts, false);
        let watermarks: Vec<_> = seen.records.iter().map(|record| record.value.watermark).collect();
        prop_assert!(watermarks.is_sorted());
        let expected: Vec<_> = oracle(&input).iter().map(at).collect();
        prop_assert_eq!(watermarks, expected);
        let values: Vec<_> = seen.records.iter().map(|record| (record.value.value, record.value.time)).collect();
        let expected: Vec<_> = input.iter().map(|entry| (entry.value, at(&entry.value))).collect();
        prop_assert_eq!(values, expected);
    }

    #[test]
    fn the_watermark_by_first_record_never_goes_back(input in times(), cuts in cuts()) {
        let seen = check(|| event_time().by_first_of_split(true), &input, &cuts, false);
        prop_assert!(seen.records.iter().map(|record| record.value.watermark).is_sorted());
    }

    #[test]
    fn finished_splits_are_deleted_from_the_state(mut input in times(), cuts in cuts()) {
        for split in 0..3 {
            if let Some(last) = input.iter_mut().rfind(|entry| entry.split == split) {
                last.is_last = true;
            }
        }
        // What remains is one entry for all splits together, and one for each source that is not idle.
        let seen = check(event_time, &input, &cuts, false);
        prop_assert!(seen.state.len() <= 3);
        let seen = check(event_time, &input, &cuts, true);
        prop_assert_eq!(seen.state.len(), 1);
    }
}

#[test]
fn every_record_after_the_last_run_is_late() {
    let sink = MemorySink::new("test");
    let run = |seconds: Vec<i64>| {
        let source = MemorySource::new("seconds", seconds).max_batch_rows(2);
        let pipeline = source.via(event_time()).map(|timed| timed.is_late()).to(sink.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(pipeline.last_run(true).run()).unwrap();
        sink.values()
    };
    assert_eq!(run(vec![100, 200, 300]), [false; 3]);
    assert_eq!(run(vec![100, 200, 300, 400]), [false, false, false, true]);
}
