//! Random events: a time, a key and a number each.

use std::time::Duration;

use ecom_stream::Timestamp;
use ecom_stream::operators::EventTime;
use proptest::prelude::*;

use crate::run::{Entry, RunOutput, check, cuts, entries};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) second: i64,
    pub(crate) key: u8,
    pub(crate) number: i64,
}

pub(crate) fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds as u64)
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second.saturating_mul(1_000_000))
}

pub(crate) fn second_of(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(1_000_000)
}

pub(crate) fn event_time(lateness: i64) -> EventTime<fn(&Event) -> Timestamp> {
    let time: fn(&Event) -> Timestamp = |event| at(event.second);
    EventTime::new(time, seconds(lateness))
}

/// Events whose times mostly increase, with a jump of a minute now and then. Each has its index as its number.
pub(crate) fn events() -> impl Strategy<Value = Vec<Entry<Event>>> {
    let step = || (0..6_i64, -20..4_i64, prop::bool::weighted(0.05), 0..4_u8);
    entries(step).prop_map(|entries| {
        let mut now = 1_000;
        let mut event = |(number, entry): (usize, Entry<(i64, i64, bool, u8)>)| {
            let (step, jitter, leaps, key) = entry.value;
            now += step + if leaps { 60 } else { 0 };
            Entry {
                split: entry.split,
                is_last: entry.is_last,
                value: Event {
                    second: now + jitter,
                    key,
                    number: number as i64,
                },
            }
        };
        entries.into_iter().enumerate().map(&mut event).collect()
    })
}

/// A lateness in seconds with which no event of [`events`] is late.
pub(crate) const NEVER_LATE: i64 = 10_000;

/// The events, each with its watermark in seconds.
pub(crate) fn with_watermarks(input: &[Entry<Event>], lateness: i64) -> Vec<(Event, i64)> {
    let uncut = crate::run::Cuts::none(input.len());
    let seen: RunOutput<_> = check(|| event_time(lateness), input, &uncut, false);
    let timed = seen.values().into_iter();
    timed.map(|timed| (timed.value, second_of(timed.watermark))).collect()
}

/// An input, how it is cut into batches and runs, and whether the last of these is the pipeline's last run.
pub(crate) fn cases() -> impl Strategy<Value = (Vec<Entry<Event>>, crate::run::Cuts, bool)> {
    (events(), cuts(), any::<bool>())
}
