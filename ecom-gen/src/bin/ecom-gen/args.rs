use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use ecom_gen::{Pace, Rate, Shop, ShopBuilder, history_start};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::units;

const EXAMPLES: &str = "\
Examples:
  A live shop: 500 events per second, a new file every 1 to 3 seconds, until Ctrl-C
      ecom-gen --output data
  A busier one, with files of at most 10,000 rows
      ecom-gen --output data --rate 10k/s --rows-per-file 10k
  A million events of the past in 100 files, as fast as possible
      ecom-gen --output data --rate max --events 1M --rows-per-file 10k
  The same events again, to the byte
      ecom-gen --output a --seed 7 --start 2026-11-01T00:00:00Z --rate max --events 1M
      ecom-gen --output b --seed 7 --start 2026-11-01T00:00:00Z --rate max --events 1M

Files are called events-START-000001.csv and so on, after the start of the shop's time; nothing is replaced.
While a file is written it is hidden.

Exit codes:
  0    all events are written, or a signal (SIGINT, SIGTERM) stopped it and the open file was finished
  1    the files could not be written
  2    the arguments are wrong
  130  a second signal ended it at once";

/// Simulates a shop and writes what its shoppers do into CSV files: view, add_to_cart, remove_from_cart, purchase.
///
/// The same seed, start and rate give the same events.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Args {
    /// Directory for the files; created if it is missing
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,

    /// Seed of all that is random; drawn and printed when it isn't given
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Events per second (500/s, 10k/s), each written when its time has come; or max: as fast as possible, in a shop
    /// that has 500 per second of its own time. Without --events, max catches up with the clock and then goes on live
    #[arg(long, value_name = "RATE", default_value = "500/s")]
    pub(crate) rate: RateArg,

    /// Ends after that many distinct events (10000, 10k, 1.5M); runs on and on without it
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub(crate) events: Option<u64>,

    /// Time of the first event, such as 2026-11-01T00:00:00Z. By default now; with --rate max such that the last event
    /// lies about now, or a day ago without --events
    #[arg(long, value_name = "RFC3339", value_parser = units::rfc3339)]
    start: Option<OffsetDateTime>,

    /// Most rows of a file (10k). With --rate max, files are then only as long as this says, unless --every is given too
    #[arg(long, value_name = "N", value_parser = units::positive_count)]
    pub(crate) rows_per_file: Option<NonZeroU64>,

    /// Time between one file and the next, drawn anew for each file from a range (1s..3s, 500ms, 1h..2h) [default: 1s..3s]
    #[arg(long, value_name = "TIME", value_parser = units::duration_range)]
    every: Option<RangeInclusive<Duration>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum RateArg {
    Live(Rate),
    Max,
}

impl FromStr for RateArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "max" => Ok(Self::Max),
            _ => match text.parse() {
                Ok(rate) => Ok(Self::Live(rate)),
                Err(err) => Err(format!("{err}; or max")),
            },
        }
    }
}

impl Args {
    fn shop_rate(&self) -> Rate {
        match self.rate {
            RateArg::Live(rate) => rate,
            RateArg::Max => Rate::default(),
        }
    }

    pub(crate) fn start(&self, now: OffsetDateTime) -> OffsetDateTime {
        let start = match (self.start, self.rate) {
            (Some(start), _) => return start,
            (None, RateArg::Live(_)) => now,
            (None, RateArg::Max) => history_start(self.shop_rate(), self.events, now),
        };
        // It is printed, to be typed again.
        start.truncate_to_millisecond()
    }

    pub(crate) fn shop(&self, seed: u64, start: OffsetDateTime) -> ShopBuilder {
        Shop::builder(seed, start).rate(self.shop_rate())
    }

    pub(crate) fn pace(&self) -> Pace {
        match (self.rate, self.events) {
            (RateArg::Max, Some(_)) => Pace::AsFastAsPossible,
            // Without an end it would soon write events of the future.
            _ => Pace::Live,
        }
    }

    pub(crate) fn roll_every(&self) -> Option<RangeInclusive<Duration>> {
        match (&self.every, self.rate, self.rows_per_file) {
            (Some(every), ..) => Some(every.clone()),
            (None, RateArg::Max, Some(_)) => None,
            (None, ..) => Some(Duration::from_secs(1)..=Duration::from_secs(3)),
        }
    }

    pub(crate) fn describe(&self, seed: u64, start: OffsetDateTime) -> String {
        let rate = match self.rate {
            RateArg::Live(rate) => format!("{rate}, live"),
            RateArg::Max => "as fast as possible".to_owned(),
        };
        let start = start.format(&Rfc3339).unwrap_or_else(|_| start.to_string());
        format!("seed {seed}, {rate}, from {start}, into {}", self.output.display())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use time::macros::datetime;

    use super::*;

    fn args(words: &str) -> Args {
        Args::try_parse_from(format!("ecom-gen --output d {words}").split_whitespace()).unwrap()
    }

    #[test]
    fn the_command_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn rows_alone_roll_only_at_full_speed() {
        let seconds = Some(Duration::from_secs(1)..=Duration::from_secs(3));
        assert_eq!(args("").roll_every(), seconds);
        assert_eq!(args("--rows-per-file 10k").roll_every(), seconds);
        assert_eq!(args("--rate max").roll_every(), seconds);
        assert_eq!(args("--rate max --rows-per-file 10k").roll_every(), None);
        let two = Some(Duration::from_secs(2)..=Duration::from_secs(2));
        assert_eq!(args("--rate max --rows-per-file 10k --every 2s").roll_every(), two);
    }

    #[test]
    fn no_event_lies_in_the_future() {
        let now = datetime!(2026-11-23 12:00 UTC);
        assert_eq!(args("").start(now), now);
        assert_eq!(args("--rate max").start(now), datetime!(2026-11-22 12:00 UTC));
        assert_eq!(args("--rate max").pace(), Pace::Live);
        let history = args("--rate max --events 100k");
        let last = history
            .shop(3, history.start(now))
            .build()
            .take(100_000)
            .last()
            .unwrap();
        assert!(last.event_time <= now && now - last.event_time < time::Duration::seconds(30));
        assert_eq!(history.pace(), Pace::AsFastAsPossible);
        let start = datetime!(2020-01-01 00:00 UTC);
        assert_eq!(args("--rate max --start 2020-01-01T00:00:00Z").start(now), start);
    }

    #[test]
    fn wrong_arguments_are_told() {
        for words in [
            "--rate fast",
            "--rate 0/s",
            "--events many",
            "--rows-per-file 0",
            "--every 3s..1s",
            "--start now",
        ] {
            let words = format!("ecom-gen --output d {words}");
            assert!(Args::try_parse_from(words.split_whitespace()).is_err(), "{words}");
        }
        assert!(Args::try_parse_from(["ecom-gen"]).is_err());
    }
}
