//! The option `--fail-over`: the share of rejected records above which `run --once` fails.

use std::str::FromStr;

use ecom_stream::Counts;

/// A percentage below 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FailOver(f64);

impl FromStr for FailOver {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let percent = text.trim().strip_suffix('%').and_then(|text| text.trim().parse().ok());
        percent
            .filter(|percent| (0.0..100.0).contains(percent))
            .map(Self)
            .ok_or("write a percentage below 100, such as 5%")
    }
}

impl FailOver {
    /// Whether more of the records that were read were rejected.
    pub(crate) fn is_exceeded(self, counts: &Counts) -> bool {
        counts.rejected as f64 * 100.0 > self.0 * counts.read as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_exceeded_by_more_rejects_than_that() {
        let counts = |read, rejected| Counts::default().with_read(read).with_rejected(rejected);
        for (percent, read, rejected, is_exceeded) in [
            ("5%", 100, 5, false),
            ("5%", 100, 6, true),
            ("0.5 %", 1_000, 5, false),
            ("0.5%", 1_000, 6, true),
            ("0%", 1_000_000, 1, true),
            ("0%", 1_000_000, 0, false),
            ("5%", 0, 0, false),
        ] {
            let fail_over: FailOver = percent.parse().unwrap();
            assert_eq!(
                fail_over.is_exceeded(&counts(read, rejected)),
                is_exceeded,
                "{percent} {rejected}"
            );
        }
        for refused in ["5", "", "%", "-1%", "100%", "NaN%", "inf%", "five%", "5%%"] {
            assert!(refused.parse::<FailOver>().is_err(), "{refused}");
        }
    }
}
