//! Parses numbers, durations and times of the command line.

use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::time::Duration;

use ecom_gen::IdVersion;
use humantime::parse_duration;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, Time};

/// Parses a whole number: `10000`, `10_000`, `10k`, `1.5M`, `2G`.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    exact_count(text).ok_or_else(|| "write a whole number, such as 10000, 10k or 1.5M".to_owned())
}

pub(crate) fn positive_count(text: &str) -> Result<NonZeroU64, String> {
    NonZeroU64::new(count(text)?).ok_or_else(|| "the number must be at least 1".to_owned())
}

fn exact_count(text: &str) -> Option<u64> {
    let (number, zeros) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 3),
        b'M' => (&text[..text.len() - 1], 6),
        b'G' => (&text[..text.len() - 1], 9),
        _ => (text, 0),
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let mut digits = format!("{whole}{decimals}").replace('_', "");
    if digits.is_empty() || decimals.len() > zeros || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.extend(std::iter::repeat_n('0', zeros - decimals.len()));
    digits.parse().ok()
}

/// Parses a range such as `1s..3s`, or a single duration such as `2s`.
pub(crate) fn duration_range(text: &str) -> Result<RangeInclusive<Duration>, String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let parse = |text: &str| parse_duration(text.trim()).map_err(|err| format!("{err}; write 2s, or 1s..3s"));
    let range = parse(from)?..=parse(to)?;
    match range.is_empty() {
        true => Err("write the shorter duration first, such as 1s..3s".to_owned()),
        false => Ok(range),
    }
}

/// Parses a share: `0.01` or `1%`.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    let share = number.trim_end().parse::<f64>().map(|number| number / unit);
    match share {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!("{text:?} is not a share between 0 and 1: write 1% or 0.01")),
    }
}

/// Parses `v4` or `v7`.
pub(crate) fn id_version(text: &str) -> Result<IdVersion, String> {
    match text {
        "v4" => Ok(IdVersion::V4),
        "v7" => Ok(IdVersion::V7),
        _ => Err("write v4 or v7".to_owned()),
    }
}

/// Parses a factor: `60`, `60x` or `x60`.
pub(crate) fn speed(text: &str) -> Result<f64, String> {
    let number = text.trim_start_matches(['x', '×']).trim_end_matches(['x', '×']);
    match number.parse::<f64>() {
        Ok(speed) if speed > 0.0 && speed <= 1e6 => Ok(speed),
        _ => Err("write a factor, such as 60 or 0.5: above 0 and at most a million".to_owned()),
    }
}

/// A time, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    At(OffsetDateTime),
    Ago(Duration),
}

impl When {
    pub(crate) fn resolve(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::At(time) => time,
            Self::Ago(duration) => now.saturating_sub(duration.try_into().unwrap_or(time::Duration::MAX)),
        }
    }
}

/// Parses `2026-11-01T08:00:00Z`, `2026-11-01`, `now`, or how long ago: `7d`.
pub(crate) fn when(text: &str) -> Result<When, String> {
    if text == "now" {
        return Ok(When::Ago(Duration::ZERO));
    }
    time_or_date(text)
        .map(When::At)
        .or_else(|| parse_duration(text).ok().map(When::Ago))
        .ok_or_else(|| "write 2026-11-01T08:00:00Z, 2026-11-01, now, or how long ago, such as 7d".to_owned())
}

pub(crate) fn time_or_date(text: &str) -> Option<OffsetDateTime> {
    let date = || Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
    let midnight = |date: Date| date.with_time(Time::MIDNIGHT).assume_utc();
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .or_else(|| date().map(midnight))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn counts() {
        for (text, number) in [
            ("0", 0),
            ("10_000", 10_000),
            ("10k", 10_000),
            ("1.5M", 1_500_000),
            ("2G", 2_000_000_000),
        ] {
            assert_eq!(count(text), Ok(number), "{text}");
        }
        for text in [
            "",
            "k",
            ".",
            "-1",
            "1.5",
            "1.2345k",
            "1e3",
            "99999999999999999999",
            "99999999999G",
            "5é",
        ] {
            assert!(count(text).is_err(), "{text}");
        }
        assert!(positive_count("0").is_err());
    }

    #[test]
    fn durations() {
        let seconds = |from, to| Ok(Duration::from_secs(from)..=Duration::from_secs(to));
        assert_eq!(duration_range("1s..3s"), seconds(1, 3));
        assert_eq!(duration_range("2h"), seconds(7_200, 7_200));
        for text in ["", "..", "3s..1s", "1..3", "1s..", "soon"] {
            assert!(duration_range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_and_speeds() {
        assert_eq!(
            (share("1%"), share("0.5 %"), share("0.25")),
            (Ok(0.01), Ok(0.005), Ok(0.25))
        );
        for text in ["", "%", "101%", "-1%", "NaN", "1.1"] {
            assert!(share(text).is_err(), "{text}");
        }
        assert_eq!(
            (speed("60x"), speed("×60"), speed("0.5")),
            (Ok(60.0), Ok(60.0), Ok(0.5))
        );
        for text in ["", "x", "0", "-1", "fast", "inf"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        let now = datetime!(2026-11-26 12:00 UTC);
        for (text, time) in [
            ("now", now),
            ("2026-11-01T08:00:00+01:00", datetime!(2026-11-01 07:00 UTC)),
            ("2026-11-01", datetime!(2026-11-01 00:00 UTC)),
            ("7d", datetime!(2026-11-19 12:00 UTC)),
            ("90m", datetime!(2026-11-26 10:30 UTC)),
        ] {
            assert_eq!(when(text).unwrap().resolve(now), time, "{text}");
        }
        for text in ["", "tomorrow", "2026-13-01", "-7d", "7"] {
            assert!(when(text).is_err(), "{text}");
        }
    }
}
