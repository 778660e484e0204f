//! The length of a sample of events.

use std::fmt;

/// The length that a sample must have for a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SampleLength {
    /// Any length.
    Any,
    /// A day.
    Day,
    /// A week.
    Week,
    /// A month of 30 days.
    Month,
    /// A year of 360 days.
    Year,
}

impl SampleLength {
    /// Whether a sample of so many days is long enough. The last event of a day lies before the end of the day, so
    /// slightly less is accepted.
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
    fn slightly_less_than_a_day_is_a_day() {
        assert!(
            SampleLength::Day.is_reached_by(0.999)
                && !SampleLength::Day.is_reached_by(0.9)
                && SampleLength::Any.is_reached_by(0.0)
        );
        assert!(SampleLength::Year.is_reached_by(359.9) && !SampleLength::Year.is_reached_by(330.0));
    }
}
