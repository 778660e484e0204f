//! The day numbers of Excel and other spreadsheets: days since the end of 1899 or since 1904, with the time of day as a fraction.

use time::macros::datetime;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::epoch::decimal_part;
#[cfg(feature = "mapping")]
use super::zone::TimeZone;

/// A time format with the day numbers of a spreadsheet; named `excel` or `excel_1904`.
///
/// `46327.5` is noon on 2026-11-01. Such times have no zone. They are rounded to what their digits can tell: to milliseconds from eight
/// decimals on, else to seconds, because a spreadsheet shows only some of the digits.
///
/// ```
/// use ecom_stream::TimeFormat;
/// use time::macros::datetime;
///
/// let format = TimeFormat::named("excel").unwrap();
/// assert_eq!(format.parse("46327.39583"), Some(datetime!(2026-11-01 9:30 UTC)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcelDays {
    /// Whether days are counted from 1904, as Excel for Mac once did.
    pub(super) from_1904: bool,
    #[cfg(feature = "mapping")]
    pub(super) zone: Option<TimeZone>,
}

/// Nanoseconds of a day.
const DAY: i128 = 86_400_000_000_000;
/// The first day behind 29 February 1900, which Excel counts although it did not exist.
const FIRST_DAY: i64 = 61;

impl ExcelDays {
    pub(super) fn new(from_1904: bool) -> Self {
        Self {
            from_1904,
            #[cfg(feature = "mapping")]
            zone: None,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        if self.from_1904 { "excel_1904" } else { "excel" }
    }

    /// The day 0.
    fn origin(&self) -> PrimitiveDateTime {
        match self.from_1904 {
            true => datetime!(1904-01-01 0:00),
            false => datetime!(1899-12-30 0:00),
        }
    }

    /// The local time that a number stands for.
    pub(super) fn civil(&self, text: &str) -> Option<PrimitiveDateTime> {
        let (days, digits) = text.split_once(['.', ',']).unwrap_or((text, "0"));
        let days: i64 = days.parse().ok().filter(|days| *days >= FIRST_DAY)?;
        let unit = if digits.len() < 8 { 1_000_000_000 } else { 1_000_000 };
        let part = (decimal_part(digits, DAY)? + unit / 2) / unit * unit;
        let part = Duration::nanoseconds(i64::try_from(part).ok()?);
        let midnight = self
            .origin()
            .checked_add(Duration::seconds(days.checked_mul(86_400)?))?;
        midnight.checked_add(part)
    }

    /// The number for a moment.
    pub(super) fn to_text(&self, moment: OffsetDateTime) -> String {
        const DIGITS: i128 = 1_000_000_000_000;
        let since = (moment.replace_offset(time::UtcOffset::UTC) - self.origin().assume_utc()).whole_nanoseconds();
        // Rounded up, because it is cut when it is read.
        let part = (since % DAY * DIGITS + DAY - 1) / DAY;
        format!("{}.{part:012}", since / DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_both_origins() {
        let excel = |text: &str| ExcelDays::new(false).civil(text);
        assert_eq!(excel("46327"), Some(datetime!(2026-11-01 0:00)));
        assert_eq!(excel("46327.395833333336"), Some(datetime!(2026-11-01 9:30)));
        assert_eq!(excel("46327,395833333"), Some(datetime!(2026-11-01 9:30)));
        assert_eq!(excel("46327.39583"), Some(datetime!(2026-11-01 9:30)));
        assert_eq!(excel("46327.3958362269"), Some(datetime!(2026-11-01 9:30:00.250)));
        assert_eq!(excel("46327.9999999999"), Some(datetime!(2026-11-02 0:00)));
        assert_eq!(ExcelDays::new(true).civil("44865.5"), Some(datetime!(2026-11-01 12:00)));
        for text in [
            "",
            "60",
            "-46327",
            "46327.",
            "46327.5.5",
            "46,327.5",
            "4e4",
            "99999999999",
        ] {
            assert_eq!(excel(text), None, "{text}");
        }
    }
}
