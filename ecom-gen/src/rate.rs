//! The average number of events per second.

use std::fmt;
use std::str::FromStr;

/// The average number of events per second of the shop's own time: above 0 and at most [`MAX`](Self::MAX).
///
/// Memory and start-up time grow with the rate. The events of visits in progress are kept in memory, about 20 KiB for
/// each event per second, and opening a shop simulates one hour of events.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(f64);

/// A number or a text that is not a [`Rate`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a rate: write events per second, such as 500/s or 10k/s, above 0 and at most 1M/s")]
pub struct RateError(String);

impl Rate {
    /// A million events per second.
    pub const MAX: Self = Self(1_000_000.0);

    /// A rate of this many events per second.
    ///
    /// # Errors
    ///
    /// If `events` is not above 0, or is above [`MAX`](Self::MAX).
    pub fn per_second(events: f64) -> Result<Self, RateError> {
        match events > 0.0 && events <= Self::MAX.0 {
            true => Ok(Self(events)),
            false => Err(RateError(events.to_string())),
        }
    }

    /// The number of events per second.
    pub fn events_per_second(self) -> f64 {
        self.0
    }
}

impl Default for Rate {
    /// 500 events per second.
    fn default() -> Self {
        Self(500.0)
    }
}

impl FromStr for Rate {
    type Err = RateError;

    /// Parses `500/s`, `0.5/s`, `10k/s` or `1M/s`.
    fn from_str(text: &str) -> Result<Self, RateError> {
        let parse = || {
            let number = text.strip_suffix("/s")?.trim_end();
            let (digits, factor) = match number.as_bytes().last()? {
                b'k' => (&number[..number.len() - 1], 1e3),
                b'M' => (&number[..number.len() - 1], 1e6),
                _ => (number, 1.0),
            };
            Self::per_second(digits.trim_end().parse::<f64>().ok()? * factor).ok()
        };
        parse().ok_or_else(|| RateError(text.to_owned()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_parsed() {
        for (text, rate) in [
            ("500/s", 500.0),
            ("0.5/s", 0.5),
            ("10k/s", 1e4),
            ("1.5 k/s", 1.5e3),
            ("1M/s", 1e6),
        ] {
            assert_eq!(text.parse::<Rate>().unwrap().events_per_second(), rate, "{text}");
            let shown = text.parse::<Rate>().unwrap().to_string();
            assert_eq!(shown.parse::<Rate>(), text.parse(), "{text}");
        }
        for text in [
            "", "/s", "500", "k/s", "0/s", "-1/s", "NaN/s", "inf/s", "2M/s", "5é/s", "500/m",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
