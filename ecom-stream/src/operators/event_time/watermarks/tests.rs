//! Tests of the watermarks, record by record.

use super::*;

const STRATEGY: WatermarkStrategy = WatermarkStrategy {
    lateness: 10,
    by_first: false,
    idle_lead: 100,
    idle_records: 3,
};

fn split(name: &str) -> Split {
    Split::new("test", name)
}

fn watermarks(strategy: WatermarkStrategy, records: &[(&str, i64)]) -> (Watermarks, Vec<i64>) {
    let mut watermarks = Watermarks::new(strategy, &[]);
    let seen = records
        .iter()
        .map(|(name, time)| watermarks.record(Some(&split(name)), *time));
    let seen = seen.collect();
    (watermarks, seen)
}

#[test]
fn the_watermark_is_the_newest_event_less_the_lateness_and_never_goes_back() {
    let (_, seen) = watermarks(STRATEGY, &[("a", 100), ("a", 95), ("a", 105), ("a", 20)]);
    assert_eq!(seen, [90, 90, 95, 95]);
}

#[test]
fn the_watermark_is_the_minimum_of_the_splits() {
    let (mut watermarks, seen) = watermarks(STRATEGY, &[("a", 100), ("b", 200), ("a", 150), ("b", 210), ("a", 300)]);
    // The second split was not known when the first set it to 90.
    assert_eq!(seen, [90, 90, 140, 140, 200]);
    watermarks.split_ended(&split("b"));
    assert_eq!(watermarks.global.watermark, 290);
}

#[test]
fn finished_splits_do_not_hold_the_watermark_back() {
    let (mut watermarks, _) = watermarks(STRATEGY, &[("a", 100), ("b", 200)]);
    watermarks.split_ended(&split("a"));
    assert_eq!(watermarks.global.watermark, 190);
    watermarks.split_ended(&split("b"));
    assert_eq!(watermarks.record(Some(&split("c")), 195), 190);
}

#[test]
fn when_all_splits_have_ended_their_source_stands_at_the_newest() {
    let (mut one, _) = watermarks(STRATEGY, &[("a", 300), ("b", 200)]);
    let (mut other, _) = watermarks(STRATEGY, &[("a", 300), ("b", 200)]);
    for (watermarks, order) in [(&mut one, ["a", "b"]), (&mut other, ["b", "a"])] {
        for name in order {
            watermarks.split_ended(&split(name));
        }
        assert_eq!(watermarks.global.watermark, 290);
    }
}

#[test]
fn a_silent_split_becomes_idle_when_the_others_get_ahead() {
    // Far ahead, but not many records.
    let (mut watermarks, seen) = watermarks(STRATEGY, &[("a", 100), ("b", 100), ("b", 500), ("b", 500)]);
    assert_eq!(seen[3], 90);
    assert_eq!(watermarks.record(Some(&split("b")), 400), 490);
    // It comes back, and is late.
    assert_eq!(watermarks.record(Some(&split("a")), 200), 490);
    let idle = |changed: Changed| changed.entries.into_iter().any(|(_, known)| known.is_none());
    assert!(!idle(watermarks.take_changed()));
}

#[test]
fn many_records_alone_make_no_split_idle() {
    let mut records = vec![("a", 100)];
    records.extend([("b", 200); 50]);
    let (mut watermarks, seen) = watermarks(STRATEGY, &records);
    assert_eq!(seen.last(), Some(&90));
    assert_eq!(watermarks.record(Some(&split("b")), 201), 191);
}

#[test]
fn overlapping_files_are_not_late_by_their_first_records() {
    let by_first = WatermarkStrategy {
        by_first: true,
        ..STRATEGY
    };
    let hours = [
        ("a1", 0),
        ("a1", 59),
        ("b1", 1),
        ("b1", 58),
        ("a2", 60),
        ("a2", 119),
        ("b2", 61),
    ];
    let mut watermarks = Watermarks::new(by_first, &[]);
    let mut before = None;
    for (name, time) in hours {
        if let Some(before) = before.replace(name).filter(|before| *before != name) {
            watermarks.split_ended(&split(before));
        }
        assert!(watermarks.record(Some(&split(name)), time) <= time, "{name} {time}");
    }
    assert_eq!(watermarks.global.watermark, 51);
}

#[test]
fn each_change_is_returned_once() {
    let (mut watermarks, _) = watermarks(STRATEGY, &[("a", 100), ("b", 200)]);
    let changed = watermarks.take_changed();
    assert_eq!((changed.global.is_some(), changed.entries.len()), (true, 2));
    watermarks.record(Some(&split("b")), 300);
    let changed = watermarks.take_changed();
    let names: Vec<_> = changed.entries.iter().map(|(entry, _)| entry.clone()).collect();
    assert_eq!(names, [EntryKey::Split(Some(split("b")))]);
    watermarks.split_ended(&split("a"));
    let changed = watermarks.take_changed();
    let left = EntryKey::Split(Some(split("a")));
    assert_eq!(changed.entries[0], (left, None));
    assert!(matches!(&changed.entries[1..], [(EntryKey::Source(source), Some(_))] if **source == *"test"));
    assert!(watermarks.take_changed().global.is_none());
}

/// Two sources whose files are read in turns, each in one go.
#[test]
fn a_source_between_two_splits_holds_the_watermark_back() {
    let sources = ["views".to_owned(), "purchases".to_owned()];
    let mut watermarks = Watermarks::new(STRATEGY, &sources);
    let mut late = Vec::new();
    for minute in 0..5 {
        for source in ["views", "purchases"] {
            let split = Split::new(source, minute.to_string());
            for time in [minute * 60, minute * 60 + 59] {
                if time < watermarks.record(Some(&split), time) {
                    late.push((source, time));
                }
            }
            watermarks.split_ended(&split);
        }
    }
    assert_eq!(late, []);
    assert_eq!(watermarks.global.watermark, 289);
}

#[test]
fn a_source_that_never_begins_becomes_idle() {
    let sources = ["test".to_owned(), "never".to_owned()];
    let mut watermarks = Watermarks::new(STRATEGY, &sources);
    let times = [100, 150, 300, 300, 300];
    let seen = times.map(|time| watermarks.record(Some(&split("a")), time));
    assert_eq!(seen, [i64::MIN, i64::MIN, i64::MIN, i64::MIN, 290]);
}

#[test]
fn records_without_an_origin_wait_for_no_source() {
    let sources = ["a".to_owned(), "b".to_owned()];
    let mut watermarks = Watermarks::new(STRATEGY, &sources);
    assert_eq!(watermarks.record(None, 100), 90);
    assert_eq!(watermarks.take_changed().entries.len(), 1);
}

#[test]
fn an_exhausted_source_becomes_idle() {
    let (mut watermarks, _) = watermarks(STRATEGY, &[("a", 100)]);
    watermarks.split_ended(&split("a"));
    watermarks.take_changed();
    let other = Split::new("other", "b");
    let seen: Vec<_> = [150, 300, 300, 300]
        .into_iter()
        .map(|time| watermarks.record(Some(&other), time))
        .collect();
    assert_eq!(seen, [90, 90, 90, 290]);
    let changed = watermarks.take_changed();
    assert!(changed.entries.contains(&(EntryKey::Source("test".into()), None)));
}

#[test]
fn an_earlier_generation_does_not_hold_the_watermark_back() {
    let (mut watermarks, _) = watermarks(STRATEGY, &[("a", 100), ("b", 300)]);
    let new = split("a").next_generation();
    assert_eq!(watermarks.record(Some(&new), 310), 290);
}

#[test]
fn the_end_of_the_last_run_leaves_one_state_entry() {
    let (mut watermarks, _) = watermarks(STRATEGY, &[("a", 100), ("b", 200)]);
    watermarks.split_ended(&split("a"));
    watermarks.take_changed();
    watermarks.end();
    let changed = watermarks.take_changed();
    assert_eq!(changed.global.map(|global| global.watermark), Some(i64::MAX));
    assert_eq!(changed.entries.len(), 2);
    assert!(changed.entries.iter().all(|(_, known)| known.is_none()));
}
