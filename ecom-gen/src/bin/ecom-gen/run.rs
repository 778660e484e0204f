//! Resolves the arguments to a run: a shop, a time span and a pace.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use ecom_gen::profile::{Profile, Volume};
use ecom_gen::{ModelParameters, Pace, Rate, RollingPolicy, Shop, ShopBuilder, ShopFiles};
use ecom_stream::{Error, ErrorKind, Result};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::args::GenerateArgs;
use crate::scenario_arg::ScenarioArg;

/// The default maximum number of rows of a file with events in the past.
const MAX_ROWS_IN_THE_PAST: u64 = 100_000;

/// A shop, which part of it is written, and how.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) start: OffsetDateTime,
    rate: Rate,
    shop: ShopBuilder,
    pace: Pace,
    until: Option<OffsetDateTime>,
    events: Option<u64>,
    rolling: RollingPolicy,
    /// The options to add so that the command continues where it stopped, if it has no `--from`.
    resume_options: Option<String>,
}

impl Run {
    pub(crate) fn new(args: &GenerateArgs, now: OffsetDateTime) -> Result<Self> {
        // Times are printed and may be typed again, so they have whole seconds.
        let now = now.truncate_to_second();
        let seed = args.seed.unwrap_or_else(|| rand::random::<u32>().into());
        let (from, to) = (
            args.from.map(|from| from.resolve(now)),
            args.to.map(|to| to.resolve(now)),
        );
        let profile = args.like.as_deref().map(profile).transpose()?;
        let volume = profile.as_ref().map(|profile| &profile.volume);
        let mut rate = args.rate.or_else(|| volume?.rate()).unwrap_or_default();
        let mut events = args.events;
        match (from, to) {
            (Some(from), Some(to)) if from >= to => return Err(wrong("--from must be before --to")),
            (None, Some(_)) if events.is_none() => return Err(wrong("--to needs --from, or --events")),
            (Some(from), Some(to)) if args.rate.is_none() => {
                if let Some(events) = events.take() {
                    let per_second = events as f64 / (to - from).as_seconds_f64();
                    rate = Rate::per_second(per_second).map_err(|_| {
                        let what = format!("{events} events between --from and --to are {per_second} per second");
                        wrong(what).hint("the rate must be above 0 and at most a million events per second")
                    })?;
                }
            }
            _ => {}
        }
        let mut shop = Shop::builder(seed, from.unwrap_or(now))
            .rate(rate)
            .products(products(args, volume)?)
            .zone(args.zone.clone())
            .ids(args.ids)
            .parameters(parameters(args, profile.as_ref())?)
            .map_err(|err| wrong("the parameters of the model are invalid").caused_by(err))?
            .delivery(args.dirt.delivery);
        if let Some(shoppers) = args.shoppers {
            shop = shop.shoppers(shoppers.get());
        }
        for scenario in &args.scenarios {
            if let ScenarioArg::Scenario(scenario) = *scenario {
                shop = shop.scenario(scenario);
            }
        }
        let pace = match args.speed {
            Some(speed) => Pace::Times(speed),
            None if to.is_some() || (from.is_none() && events.is_some()) => Pace::AsFastAsPossible,
            None => Pace::Live,
        };
        let mut resume_options = None;
        if let (None, Pace::AsFastAsPossible, Some(events)) = (from, pace, events) {
            let to = to.unwrap_or(now);
            shop = shop.ending_at(to, events);
            let from = rfc3339(shop.starts_at().truncate_to_second());
            let (to, rate) = (rfc3339(to), rate.events_per_second());
            resume_options = Some(format!("--seed {seed} --from {from} --to {to} --rate {rate}/s"));
        }
        let start = shop.starts_at().truncate_to_second();
        if start.to_offset(time::UtcOffset::UTC).year() < 0 {
            return Err(wrong(
                "the shop would start before the year 0, which the files cannot express",
            ));
        }
        if let Some(until) = to.filter(|until| *until <= start) {
            let what = format!(
                "the shop would start at {}, after its end at {}",
                rfc3339(start),
                rfc3339(until)
            );
            return Err(wrong(what));
        }
        Ok(Self {
            seed,
            start,
            rate,
            shop: shop.start(start),
            pace,
            until: to,
            events,
            rolling: rolling_policy(args, pace, start, now),
            resume_options,
        })
    }

    pub(crate) fn source(&self, args: &GenerateArgs) -> ShopFiles {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        ShopFiles::new(self.shop.clone())
            .rolling(self.rolling.clone())
            .pace(self.pace)
            .until(self.until)
            .events(self.events)
            .dirt(args.dirt.dirt)
            .manifest(args.manifest)
            .workers(
                args.workers
                    .map_or(cores, |workers| usize::try_from(workers.get()).unwrap_or(usize::MAX)),
            )
    }

    /// The approximate number of rows; `None` if the run has no end.
    pub(crate) fn expected_rows(&self, args: &GenerateArgs) -> Option<u64> {
        let of_span = self.until.map(|until| {
            let seconds = (until - self.start).as_seconds_f64();
            (seconds * self.rate.events_per_second()) as u64
        });
        // Copies of events are rows, too, and are included in the rate.
        let copies = args.dirt.delivery.duplicate + args.dirt.delivery.altered;
        self.events
            .map(|events| (events as f64 * (1.0 + copies)) as u64)
            .or(of_span)
    }

    /// The prefix of the file names. Each shop has its own, so that a file is never mistaken for a new version of
    /// another.
    pub(crate) fn prefix(&self) -> String {
        let time = rfc3339(self.start.to_offset(time::UtcOffset::UTC)).replace(['-', ':'], "");
        format!("events-{time}-{}", self.seed)
    }

    pub(crate) fn describe(&self, output: &Path) -> String {
        let pace = match self.pace {
            Pace::Times(speed) => format!("{speed} times as fast as real time"),
            Pace::AsFastAsPossible => "as fast as possible".to_owned(),
            _ => "live".to_owned(),
        };
        let until = self
            .until
            .map_or(String::new(), |until| format!(" to {}", rfc3339(until)));
        let (seed, rate, start) = (self.seed, rounded(self.rate), rfc3339(self.start));
        let resume = match &self.resume_options {
            Some(options) => format!("\nto continue where it stopped, add {options}"),
            None => String::new(),
        };
        format!(
            "seed {seed}, {rate}/s on average, {pace}, from {start}{until}, into {}{resume}",
            output.display()
        )
    }
}

fn rolling_policy(args: &GenerateArgs, pace: Pace, start: OffsetDateTime, now: OffsetDateTime) -> RollingPolicy {
    let rows = args.rows_per_file.map(u64::from);
    let policy = RollingPolicy::default().max_rows(rows.unwrap_or(u64::MAX));
    let usual = || Duration::from_secs(1)..=Duration::from_secs(3);
    match (pace, &args.every) {
        (Pace::Times(speed), every) => policy.every(scaled(every.clone().unwrap_or_else(usual), speed)),
        (_, Some(every)) => policy.every(every.clone()),
        (Pace::AsFastAsPossible, None) => policy.every(None).max_rows(rows.unwrap_or(MAX_ROWS_IN_THE_PAST)),
        (_, None) if start < now => policy.every_from(now).max_rows(rows.unwrap_or(MAX_ROWS_IN_THE_PAST)),
        (_, None) => policy,
    }
}

/// Converts durations in real time to durations in the shop's time.
fn scaled(range: RangeInclusive<Duration>, times: f64) -> RangeInclusive<Duration> {
    let scaled =
        |duration: &Duration| Duration::try_from_secs_f64(duration.as_secs_f64() * times).unwrap_or(Duration::MAX);
    scaled(range.start())..=scaled(range.end())
}

fn products(args: &GenerateArgs, like: Option<&Volume>) -> Result<u32> {
    let most = ShopBuilder::MAX_PRODUCTS;
    let Some(products) = args.products else {
        let known = like.map(|like| u32::try_from(like.products).unwrap_or(most));
        return Ok(known.unwrap_or(ShopBuilder::PRODUCTS));
    };
    u32::try_from(products)
        .ok()
        .filter(|products| *products <= most)
        .ok_or_else(|| {
            wrong(format!("--products is {products}, which is too many"))
                .hint(format!("a shop can have at most {most} products"))
        })
}

fn profile(path: &Path) -> Result<Profile> {
    Profile::from_json(&read(path)?).map_err(|err| wrong(format!("{} cannot be used", path.display())).caused_by(err))
}

fn parameters(args: &GenerateArgs, like: Option<&Profile>) -> Result<ModelParameters> {
    let is_wholesale = args.scenarios.contains(&ScenarioArg::Wholesale);
    if is_wholesale && (args.parameters.is_some() || like.is_some()) {
        return Err(
            wrong("--scenario wholesale cannot be combined with --parameters or --like").hint(
                "leave it out, or start from `ecom-gen parameters --wholesale` and pass the result to --parameters",
            ),
        );
    }
    let parameters = match (&args.parameters, like) {
        (Some(path), _) => serde_json::from_str(&read(path)?).map_err(|err| {
            let what = format!(
                "{} does not contain parameters in the format of `ecom-gen parameters`",
                path.display()
            );
            wrong(what).caused_by(err)
        })?,
        (None, Some(profile)) => ModelParameters::calibrated_to(profile),
        (None, None) if is_wholesale => ModelParameters::wholesale(),
        (None, None) => ModelParameters::default(),
    };
    Ok(if args.steady { parameters.steady() } else { parameters })
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|err| wrong(format!("cannot read {}", path.display())).caused_by(err))
}

/// The rate with three significant digits, or without decimals if it is larger.
fn rounded(rate: Rate) -> f64 {
    let rate = rate.events_per_second();
    let unit = 10_f64.powi((rate.log10().floor() as i32 - 2).min(0));
    let per_unit = unit.recip().round();
    (rate * per_unit).round() / per_unit
}

fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, what.into()).hint("see --help")
}

#[cfg(test)]
mod tests;
