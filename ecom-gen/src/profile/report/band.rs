//! The accepted range of a value, and how values are written.

/// The unit of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// A share, in percent.
    Percent,
    /// A number.
    Number,
    /// Seconds.
    Seconds,
    /// Days.
    Days,
}

/// The accepted range of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Band {
    /// From the first to the second value, inclusive.
    Within(f64, f64),
    /// This value or more.
    AtLeast(f64),
    /// This value or less.
    AtMost(f64),
    /// More than this value.
    Above(f64),
}

impl Band {
    /// Whether the value is in the band.
    pub fn accepts(self, value: f64) -> bool {
        match self {
            Self::Within(least, most) => (least..=most).contains(&value),
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::Above(bound) => value > bound,
        }
    }
}

impl Unit {
    pub(super) fn write(self, value: f64) -> String {
        match self {
            Self::Percent => format!("{} %", digits(value * 100.0)),
            Self::Number => digits(value),
            Self::Seconds => format!("{} s", digits(value)),
            Self::Days => format!("{} d", digits(value)),
        }
    }

    pub(super) fn write_band(self, band: Band) -> String {
        // Bounds are written without trailing zeros: 8, not 8.00.
        let scale = if self == Self::Percent { 100.0 } else { 1.0 };
        let bound = |value: f64| ((value * scale * 1e6).round() / 1e6).to_string();
        let sign = self.write(0.0).trim_start_matches(|c: char| c != ' ').to_owned();
        match band {
            Band::Within(least, most) => format!("{} to {}{sign}", bound(least), bound(most)),
            Band::AtLeast(least) => format!("≥ {}{sign}", bound(least)),
            Band::AtMost(most) => format!("≤ {}{sign}", bound(most)),
            Band::Above(least) => format!("> {}{sign}", bound(least)),
        }
    }
}

/// Formats with three significant digits.
fn digits(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_accept_their_range() {
        for (band, shown, accepted, refused) in [
            (Band::Within(0.015, 0.06), "1.5 to 6 %", 0.06, 0.061),
            (Band::AtLeast(0.08), "≥ 8 %", 0.08, 0.079),
            (Band::AtMost(0.01), "≤ 1 %", 0.01, 0.011),
            (Band::Above(0.0), "> 0 %", 1e-9, 0.0),
        ] {
            assert_eq!(Unit::Percent.write_band(band), shown);
            assert!(band.accepts(accepted) && !band.accepts(refused), "{band:?}");
        }
        assert_eq!(Unit::Number.write_band(Band::Within(-0.4, 0.4)), "-0.4 to 0.4");
        assert_eq!(Unit::Seconds.write_band(Band::Within(40.0, 120.0)), "40 to 120 s");
    }

    #[test]
    fn values_have_three_significant_digits() {
        for (value, shown) in [
            (0.041_23, "0.04"),
            (9.876, "9.88"),
            (12.34, "12.3"),
            (1_234.5, "1234"),
            (-0.137, "-0.14"),
        ] {
            assert_eq!(Unit::Number.write(value), shown);
        }
        assert_eq!(Unit::Percent.write(0.416), "41.6 %");
        assert_eq!(Unit::Days.write(22.0), "22.0 d");
    }
}
