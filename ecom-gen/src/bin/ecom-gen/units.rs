//! Numbers and times as people write them.

use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::time::Duration;

use humantime::parse_duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `10000`, `10_000`, `10k`, `1.5M`, `2G`; only whole numbers.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    exact_count(text).ok_or_else(|| "write a whole number, like 10000, 10k or 1.5M".to_owned())
}

pub(crate) fn positive_count(text: &str) -> Result<NonZeroU64, String> {
    NonZeroU64::new(count(text)?).ok_or_else(|| "at least 1".to_owned())
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

/// `1s..3s`, or `2s` for always the same.
pub(crate) fn duration_range(text: &str) -> Result<RangeInclusive<Duration>, String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let parse = |text: &str| parse_duration(text.trim()).map_err(|err| format!("{err}; write 2s, or 1s..3s"));
    let range = parse(from)?..=parse(to)?;
    match range.is_empty() {
        true => Err("the shorter time goes first, like 1s..3s".to_owned()),
        false => Ok(range),
    }
}

pub(crate) fn rfc3339(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|err| format!("{err}; write 2026-11-01T00:00:00Z"))
}

#[cfg(test)]
mod tests {
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
    fn times() {
        let seconds = |from, to| Ok(Duration::from_secs(from)..=Duration::from_secs(to));
        assert_eq!(duration_range("1s..3s"), seconds(1, 3));
        assert_eq!(duration_range("2h"), seconds(7_200, 7_200));
        for text in ["", "..", "3s..1s", "1..3", "1s..", "soon"] {
            assert!(duration_range(text).is_err(), "{text}");
        }
        assert!(rfc3339("2026-11-01T00:00:00Z").is_ok());
        assert!(rfc3339("2026-11-01").is_err());
    }
}
