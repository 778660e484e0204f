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
  A live shop: 500 events per second, a new file every 1 to 3 seconds, until Ctrl-C
      ecom-gen --output data
  A week's history of 10 million events, as fast as possible
      ecom-gen --output data --from 7d --to now --events 10M
  The last week, then live
      ecom-gen --output data --from 7d
  A day every 24 minutes, with some dirt, and the truth about it in a manifest
      ecom-gen --output data --speed 60 --dirt light --manifest
  The same files again, to the byte
      ecom-gen --output a --seed 7 --from 2026-11-01 --to 2026-11-02
      ecom-gen --output b --seed 7 --from 2026-11-01 --to 2026-11-02 --workers 1
  What the files of a shop are like, and files like them
      ecom-gen profile data --json > profile.json
      ecom-gen --output alike --like profile.json --from 7d --to now

Files are called events-START-SEED-000001.csv and so on. A file is hidden while it is
written, and so is the one that says how far the run has come: with --seed and a time in
--from the same command goes on where it stopped, after a crash too.

Exit codes:
  0    all events are written, or a signal (SIGINT, SIGTERM) stopped it
  1    the files could not be written or read
  2    the arguments are wrong
  130  a second signal ended it at once";

/// Simulates a shop and writes what its shoppers do into CSV files: view, add_to_cart, remove_from_cart, purchase.
///
/// The same seed, start and options give the same files, to the byte.
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
    /// Measure the files of a directory, and hold them against what real shops are like
    Profile(ProfileArgs),
    /// Print the numbers of the model as JSON, to be changed and given with --parameters
    ModelParameters {
        /// Those of a wholesale shop
        #[arg(long)]
        wholesale: bool,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ProfileArgs {
    /// Directory of CSV files with the columns that ecom-gen writes, in any order
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Print the profile as JSON, for --like. It has no names but those of categories, and nothing of a single shopper
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the shop has its day and week: Europe/Berlin, or +02:00
    #[arg(long, value_name = "ZONE", default_value_t = Zone::UTC, allow_hyphen_values = true)]
    pub(crate) zone: Zone,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GenerateArgs {
    /// Directory for the files; created if it is missing
    #[arg(short, long, value_name = "DIR", required = true)]
    output: Option<PathBuf>,

    /// Seed of all that is random; drawn and printed when it isn't given
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Events per second (500/s, 10k/s), on average over a week [default: 500/s, or as many as in --like]
    #[arg(long, value_name = "RATE", help_heading = "Time")]
    pub(crate) rate: Option<Rate>,

    /// Time of the first event: 2026-11-01T08:00:00Z, 2026-11-01, or how long ago (7d). By default now. What lies in the
    /// past comes as fast as possible, then the shop goes on live
    #[arg(long, visible_alias = "start", value_name = "TIME", help_heading = "Time", value_parser = units::when)]
    pub(crate) from: Option<When>,

    /// Ends there, as fast as possible unless --speed is given: a time, how long ago, or now
    #[arg(long, value_name = "TIME", help_heading = "Time", value_parser = units::when)]
    pub(crate) to: Option<When>,

    /// How many distinct events (10000, 10k, 1.5M): alone, or with --to, that many up to now or then, as fast as possible;
    /// with --from or --speed it ends after so many; with --from and --to about so many lie between them. Without
    /// --from the same command doesn't go on where it stopped: which one does is printed
    #[arg(long, value_name = "N", help_heading = "Time", value_parser = units::count)]
    pub(crate) events: Option<u64>,

    /// Runs the shop's clock that many times as fast as the real one, from its start on
    #[arg(long, value_name = "TIMES", help_heading = "Time", value_parser = units::speed)]
    pub(crate) speed: Option<f64>,

    /// Where the shop has its day and week: Europe/Berlin, or +02:00
    #[arg(long, value_name = "ZONE", help_heading = "Time", default_value_t = Zone::UTC, allow_hyphen_values = true)]
    pub(crate) zone: Zone,

    /// As many come by night as by day, and on any day of the week
    #[arg(long, help_heading = "Time")]
    pub(crate) steady: bool,

    /// Most rows of a file (10k) [default: 100k for what lies in the past, else any number]
    #[arg(long, value_name = "N", help_heading = "Files", value_parser = units::positive_count)]
    pub(crate) rows_per_file: Option<NonZeroU64>,

    /// Time between one file and the next, drawn for each file from a range (1s..3s, 500ms, 1h..2h)
    /// [default: 1s..3s; for what lies in the past files end when they are full]
    #[arg(long, value_name = "TIME", help_heading = "Files", value_parser = units::duration_range)]
    pub(crate) every: Option<RangeInclusive<Duration>>,

    /// What is wrong with the files, and how often: none, light, heavy, and KIND=SHARE, like light,torn-last-line=1%. By
    /// default one event in a thousand comes twice (duplicate=0.1%). A wrong KIND lists the right ones
    #[arg(
        long,
        value_name = "DIRT",
        help_heading = "Files",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) dirt: DirtArg,

    /// Write a manifest beside the files: what is in them, and each fault with the reason that an ingest must give. It
    /// counts on one that refuses no time for its age; ecom-ingest does before 2000 and more than a day ahead
    #[arg(long, help_heading = "Files")]
    pub(crate) manifest: bool,

    /// Version of the events' UUIDs: v4 or v7
    #[arg(long, value_name = "VERSION", help_heading = "Files", default_value = "v7", value_parser = units::id_version)]
    pub(crate) ids: IdVersion,

    /// Threads that make events at a time; they change nothing in the files [default: one for each core]
    #[arg(long, value_name = "N", value_parser = units::positive_count)]
    pub(crate) workers: Option<NonZeroU64>,

    /// How many products the shop sells, at most 33,554,432 [default: 10k, or as many as in --like]
    #[arg(long, value_name = "N", help_heading = "Shop", value_parser = units::count)]
    pub(crate) products: Option<u64>,

    /// How many people shop here at a time [default: as the rate and the parameters make it]
    #[arg(long, value_name = "N", help_heading = "Shop", value_parser = units::positive_count)]
    pub(crate) shoppers: Option<NonZeroU64>,

    /// What happens: bot, wholesale, campaign=DATE[/3d], outage=TIME/1h (what waits is kept in memory, 60 bytes an event).
    /// Dates are in UTC. May be given several times
    #[arg(long = "scenario", value_name = "SCENARIO", help_heading = "Shop")]
    pub(crate) scenarios: Vec<ScenarioArg>,

    /// Takes a shop's parameters from a profile of its files (see `ecom-gen profile`), and its size where --rate and --products
    /// don't say it
    #[arg(long, value_name = "FILE", help_heading = "Shop", conflicts_with = "parameters")]
    pub(crate) like: Option<PathBuf>,

    /// Takes the numbers of the model from a JSON file; what it leaves out is as usual (see `ecom-gen parameters`)
    #[arg(long, value_name = "FILE", help_heading = "Shop")]
    pub(crate) parameters: Option<PathBuf>,
}

impl GenerateArgs {
    pub(crate) fn output(&self) -> &Path {
        // Without a directory there is a command, which doesn't ask for it.
        self.output.as_deref().unwrap_or(Path::new("."))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn wrong_arguments_are_told() {
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
