//! How long a sample of events must be for a measurement.

use std::fmt;

/// How long a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SampleLength {
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

impl SampleLength {
    /// Whether one of so many days is as long. Its last event lies before its end.
    pub fn is_reached_by(self, days: f64) -> bool {
        days >= match self {
            Self::Any => 0.0,
            Self::Day => 0.99,
            Self::Week => 6.9,
            Self::Month => 29.0,
            Self::Year => 355.0,
        }
    }
}

impl fmt::Display for SampleLength {
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
        assert!(
            SampleLength::Day.is_reached_by(0.999)
                && !SampleLength::Day.is_reached_by(0.9)
                && SampleLength::Any.is_reached_by(0.0)
        );
        assert!(SampleLength::Year.is_reached_by(359.9) && !SampleLength::Year.is_reached_by(330.0));
    }
}
