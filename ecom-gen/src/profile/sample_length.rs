//! How long a sample of events must be for a measurement.

use std::fmt;

/// How long a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sample {
    /// Of any length.
    Any,
    /// A day.
    Day,
    /// A week.
    Week,
    /// A month, of 30 days.
    Month,
    /// A year, of 360 days.
    Year,
}

impl Sample {
    /// Whether one of so many days is as long. Its last event lies before its end.
    pub fn fits(self, days: f64) -> bool {
        days >= match self {
            Self::Any => 0.0,
            Self::Day => 0.99,
            Self::Week => 6.9,
            Self::Month => 29.0,
            Self::Year => 355.0,
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Any => "more events",
            Self::Day => "a day",
            Self::Week => "a week",
            Self::Month => "a month",
            Self::Year => "a year",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_with_its_last_event() {
        assert!(Sample::Day.fits(0.999) && !Sample::Day.fits(0.9) && Sample::Any.fits(0.0));
        assert!(Sample::Year.fits(359.9) && !Sample::Year.fits(330.0));
    }
}
