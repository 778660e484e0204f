//! The command line: options, commands and help texts.

use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand};
use ecom_gen::{IdVersion, Rate, Zone};

use crate::dirt_arg::DirtArg;
use crate::scenario_arg::ScenarioArg;
use crate::units::{self, When};

const EXAMPLES: &str = "\
Examples:
  Simulate a live shop: 500 events per second, a new file every 1 to 3 seconds, until Ctrl-C
      ecom-gen --output data
  Write 10 million events of the last week, as fast as possible
      ecom-gen --output data --from 7d --to now --events 10M
  Write the last week, then continue live
      ecom-gen --output data --from 7d
  Run 60 times as fast as real time, with some faults, which are listed in a manifest
      ecom-gen --output data --speed 60 --dirt light --manifest
  Write the same files twice, byte for byte
      ecom-gen --output a --seed 7 --from 2026-11-01 --to 2026-11-02
      ecom-gen --output b --seed 7 --from 2026-11-01 --to 2026-11-02 --workers 1
  Measure the files of a shop, and write files with the same statistics
      ecom-gen profile data --json > profile.json
      ecom-gen --output alike --like profile.json --from 7d --to now

The files are named events-START-SEED-000001.csv and so on. A file is hidden until it is
complete. Another hidden file records the progress: if --seed and a time in --from are
given, the same command continues where it stopped, even after a crash.

Exit codes:
  0    all events were written, or a signal (SIGINT, SIGTERM) stopped the program
  1    a file could not be written or read
  2    the arguments are invalid
  130  a second signal ended the program at once";

/// Simulates a shop and writes its events to CSV files: view, add_to_cart, remove_from_cart, purchase.
///
/// The same seed, start and options give the same files, byte for byte.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, max_term_width = 110)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) generate: GenerateArgs,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure the CSV files of a directory, and compare them with real shops
    Profile(ProfileArgs),
    /// Print the parameters of the model as JSON, to be edited and passed to --parameters
    Parameters {
        /// Print those of a wholesale shop
        #[arg(long)]
        wholesale: bool,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ProfileArgs {
    /// Directory of CSV files with the columns that ecom-gen writes, in any order
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Print the profile as JSON, for --like. It contains the names of categories, but no other names and nothing about
    /// a single shopper
    #[arg(long)]
    pub(crate) json: bool,
    /// Time zone of the shop's hours and weekdays: Europe/Berlin, or +02:00
    #[arg(long, value_name = "ZONE", default_value_t = Zone::UTC, allow_hyphen_values = true)]
    pub(crate) zone: Zone,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GenerateArgs {
    /// Directory of the files; created if it does not exist
    #[arg(short, long, value_name = "DIR", required = true)]
    output: Option<PathBuf>,

    /// Seed of all random numbers; a random one is chosen and printed if it is not given
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Events per second (500/s, 10k/s), averaged over a week [default: 500/s, or the rate in --like]
    #[arg(long, value_name = "RATE", help_heading = "Time")]
    pub(crate) rate: Option<Rate>,

    /// Time of the first event: 2026-11-01T08:00:00Z, 2026-11-01, or how long ago (7d). The default is now. Events in
    /// the past are written as fast as possible, then the shop continues live
    #[arg(long, visible_alias = "start", value_name = "TIME", help_heading = "Time", value_parser = units::when)]
    pub(crate) from: Option<When>,

    /// Time of the end: a time, how long ago, or now. Events are written as fast as possible, unless --speed is given
    #[arg(long, value_name = "TIME", help_heading = "Time", value_parser = units::when)]
    pub(crate) to: Option<When>,

    /// Number of distinct events (10000, 10k, 1.5M). Alone or with --to: this many events up to now or to that time, as
    /// fast as possible. With --from or --speed: end after this many. With --from and --to: about this many between the
    /// two. Without --from the same command cannot continue where it stopped; the options that do are printed
    #[arg(long, value_name = "N", help_heading = "Time", value_parser = units::count)]
    pub(crate) events: Option<u64>,

    /// Run the shop's clock this many times as fast as real time, from the shop's start on
    #[arg(long, value_name = "TIMES", help_heading = "Time", value_parser = units::speed)]
    pub(crate) speed: Option<f64>,

    /// Time zone of the shop's hours and weekdays: Europe/Berlin, or +02:00
    #[arg(long, value_name = "ZONE", help_heading = "Time", default_value_t = Zone::UTC, allow_hyphen_values = true)]
    pub(crate) zone: Zone,

    /// Turn off the daily and weekly seasonality, so that the rate is constant
    #[arg(long, help_heading = "Time")]
    pub(crate) steady: bool,

    /// Maximum number of rows of a file (10k) [default: 100k for events in the past, otherwise unlimited]
    #[arg(long, value_name = "N", help_heading = "Files", value_parser = units::positive_count)]
    pub(crate) rows_per_file: Option<NonZeroU64>,

    /// Duration of a file, drawn for each file from a range (1s..3s, 500ms, 1h..2h) [default: 1s..3s; for events in the
    /// past, files end only when they are full]
    #[arg(long, value_name = "TIME", help_heading = "Files", value_parser = units::duration_range)]
    pub(crate) every: Option<RangeInclusive<Duration>>,

    /// Faults in the files: none, light or heavy, and the share of single kinds as KIND=SHARE, such as
    /// light,torn-last-line=1%. By default one event in a thousand is sent twice (duplicate=0.1%). An unknown KIND
    /// prints the list of kinds
    #[arg(
        long,
        value_name = "DIRT",
        help_heading = "Files",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) dirt: DirtArg,

    /// Write a manifest beside the files: what is in each file, and each fault with the reason that a correct ingest
    /// gives. The manifest describes an ingest that accepts events of any age; ecom-ingest rejects those before the
    /// year 2000 and more than a day in the future
    #[arg(long, help_heading = "Files")]
    pub(crate) manifest: bool,

    /// Version of the UUIDs of events: v4 or v7
    #[arg(long, value_name = "VERSION", help_heading = "Files", default_value = "v7", value_parser = units::id_version)]
    pub(crate) ids: IdVersion,

    /// Number of threads that simulate at a time; the files do not depend on it [default: one per core]
    #[arg(long, value_name = "N", value_parser = units::positive_count)]
    pub(crate) workers: Option<NonZeroU64>,

    /// Number of products, at most 33,554,432 [default: 10k, or the number in --like]
    #[arg(long, value_name = "N", help_heading = "Shop", value_parser = units::count)]
    pub(crate) products: Option<u64>,

    /// Number of people who are shoppers at one time [default: derived from the rate and the parameters]
    #[arg(long, value_name = "N", help_heading = "Shop", value_parser = units::positive_count)]
    pub(crate) shoppers: Option<NonZeroU64>,

    /// What happens to the shop: bot, wholesale, campaign=DATE[/3d], outage=TIME/1h. During an outage, events wait in
    /// memory, 60 bytes each. Dates are in UTC. May be given several times
    #[arg(long = "scenario", value_name = "SCENARIO", help_heading = "Shop")]
    pub(crate) scenarios: Vec<ScenarioArg>,

    /// Calibrate the shop to a profile of another shop's files (see `ecom-gen profile`). Also sets the rate and the
    /// number of products, unless --rate or --products are given
    #[arg(long, value_name = "FILE", help_heading = "Shop", conflicts_with = "parameters")]
    pub(crate) like: Option<PathBuf>,

    /// Read parameters of the model from a JSON file; those that it leaves out keep their defaults (see `ecom-gen
    /// parameters`)
    #[arg(long, value_name = "FILE", help_heading = "Shop")]
    pub(crate) parameters: Option<PathBuf>,
}

impl GenerateArgs {
    pub(crate) fn output(&self) -> &Path {
        // Only a command can come without a directory, and commands do not use it.
        self.output.as_deref().unwrap_or(Path::new("."))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_valid() {
        Args::command().debug_assert();
    }

    #[test]
    fn invalid_arguments_are_refused() {
        for words in [
            "--rate fast",
            "--rate 0/s",
            "--events many",
            "--rows-per-file 0",
            "--every 3s..1s",
            "--from tomorrow",
            "--speed 0",
            "--zone Nowhere",
            "--dirt dust",
            "--dirt duplicate=200%",
            "--scenario flood",
            "--ids v1",
            "--workers 0",
            "profile d",
        ] {
            let words = format!("ecom-gen --output d {words}");
            assert!(Args::try_parse_from(words.split_whitespace()).is_err(), "{words}");
        }
        assert!(Args::try_parse_from(["ecom-gen"]).is_err());
        for words in [
            "ecom-gen profile d",
            "ecom-gen profile d --json --zone -03:30",
            "ecom-gen parameters --wholesale",
        ] {
            Args::try_parse_from(words.split_whitespace()).unwrap();
        }
    }
}
