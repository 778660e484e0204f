//! How arguments are resolved to a run.

use clap::Parser;
use time::macros::datetime;

use super::*;
use crate::args::Args;

const NOW: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

fn run(words: &str) -> Result<Run> {
    let args = Args::try_parse_from(format!("ecom-gen --output d --seed 3 {words}").split_whitespace()).unwrap();
    Run::new(&args.generate, NOW)
}

fn expected_rows(words: &str) -> Option<u64> {
    let args = Args::try_parse_from(format!("ecom-gen --output d {words}").split_whitespace()).unwrap();
    Run::new(&args.generate, NOW).unwrap().expected_rows(&args.generate)
}

#[test]
fn times_and_pace_follow_from_the_arguments() {
    let hour = time::Duration::HOUR;
    for (words, start, until, pace) in [
        ("", NOW, None, Pace::Live),
        ("--from 1h", NOW - hour, None, Pace::Live),
        (
            "--from 2h --to 1h",
            NOW - 2 * hour,
            Some(NOW - hour),
            Pace::AsFastAsPossible,
        ),
        (
            "--from 2h --to 1h --speed 60",
            NOW - 2 * hour,
            Some(NOW - hour),
            Pace::Times(60.0),
        ),
        ("--speed 2", NOW, None, Pace::Times(2.0)),
        ("--from 1h --events 10k", NOW - hour, None, Pace::Live),
    ] {
        let run = run(words).unwrap();
        assert_eq!((run.start, run.until, run.pace), (start, until, pace), "{words}");
    }
}

#[test]
fn a_number_of_events_ends_at_about_now() {
    let run = run("--events 100k --steady").unwrap();
    assert_eq!((run.pace, run.events), (Pace::AsFastAsPossible, Some(100_000)));
    let took = (NOW - run.start).as_seconds_f64();
    assert!((200.0..220.0).contains(&took), "{took}");
}

#[test]
fn a_number_of_events_between_two_times_sets_the_rate() {
    let run = run("--from 7d --to now --events 6048k").unwrap();
    assert_eq!((run.rate.events_per_second(), run.events), (10.0, None));
    assert_eq!(expected_rows("--from 7d --to now --events 6048k"), Some(6_048_000));
    assert_eq!(expected_rows("--events 1k --dirt duplicate=10%"), Some(1_100));
    assert!(
        run.describe(Path::new("d"))
            .contains("seed 3, 10/s on average, as fast as possible")
    );
}

#[test]
fn files_of_the_past_end_by_rows_and_others_by_time() {
    let policy = |words| run(words).unwrap().rolling;
    let seconds = |from, to| Duration::from_secs(from)..=Duration::from_secs(to);
    assert_eq!(policy(""), RollingPolicy::default());
    assert_eq!(
        policy("--from 1h"),
        RollingPolicy::default().every_from(NOW).max_rows(100_000)
    );
    assert_eq!(
        policy("--events 10k"),
        RollingPolicy::default().every(None).max_rows(100_000)
    );
    assert_eq!(
        policy("--events 10k --every 2s"),
        RollingPolicy::default().every(seconds(2, 2))
    );
    assert_eq!(policy("--speed 60"), RollingPolicy::default().every(seconds(60, 180)));
    assert_eq!(policy("--rows-per-file 5"), RollingPolicy::default().max_rows(5));
}

#[test]
fn impossible_arguments_are_refused() {
    for words in [
        "--to now",
        "--from 1h --to 2h",
        "--from 1s --to now --events 1G",
        "--like /nowhere",
        "--parameters /",
        "--parameters / --scenario wholesale",
        "--products 34M",
        "--from 5000y --to now --events 10",
        "--to 7d --speed 10 --events 10",
    ] {
        let err = run(words).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Configuration, "{words}");
    }
}

#[test]
fn rates_are_displayed_with_three_digits() {
    for (rate, shown) in [
        (16.534_391, "16.5"),
        (0.012_345, "0.0123"),
        (1234.6, "1235"),
        (500.0, "500"),
    ] {
        assert_eq!(rounded(Rate::per_second(rate).unwrap()).to_string(), shown);
    }
}
