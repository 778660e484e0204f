//! State by key against a loop over all of the input.

use std::collections::HashMap;

use ecom_stream::operators::{Deduplicate, Scan};
use proptest::prelude::*;

use crate::event::{Event, cases, event_time, seconds, with_watermarks};
use crate::run::{Chain, check};

proptest! {
    #[test]
    fn a_scan_is_a_fold_over_each_key_until_it_is_forgotten(
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
        prop_assert_eq!(seen.state_of("scan"), if last { 0 } else { known.len() });
        let seen: Vec<_> = seen.values().into_iter().map(|timed| timed.value).collect();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn what_is_kept_of_a_key_lies_apart((input, cuts, last) in cases(), lateness in 0..30_i64, within in 1..60_i64) {
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
        let mut newest = HashMap::<u8, i64>::new();
        let mut expected = Vec::new();
        for (event, _) in events.iter().filter(|(event, _)| !late.contains(&event.number)) {
            let last = newest.get(&event.key).copied();
            if last.is_none_or(|last| (event.second - last).abs() >= within) {
                expected.push(*event);
                newest.insert(event.key, last.unwrap_or(event.second).max(event.second));
            }
        }
        prop_assert_eq!(kept, expected);
    }
}
