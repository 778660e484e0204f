//! Times as a number of units since 1970, with or without a fraction.

use time::OffsetDateTime;

/// The time that is `text` units after 1970; a unit has `nanos` nanoseconds. The number may have a fraction behind a point or a comma;
/// what is smaller than a nanosecond is cut.
pub(super) fn since_1970(text: &str, nanos: i128) -> Option<OffsetDateTime> {
    // Nearly all numbers are whole.
    let since = match text.parse::<i64>() {
        Ok(whole) => i128::from(whole) * nanos,
        Err(_) => with_fraction(text, nanos)?,
    };
    OffsetDateTime::from_unix_timestamp_nanos(since).ok()
}

/// The number of nanoseconds of a text with a fraction.
fn with_fraction(text: &str, nanos: i128) -> Option<i128> {
    let (whole, fraction) = text.split_once(['.', ','])?;
    let part = decimal_part(fraction, nanos)?;
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    Some(i128::from(whole.parse::<i64>().ok()?) * nanos + sign * part)
}

/// The part of `unit` that the digits behind a decimal point say, cut to a whole number; `None` if they are no digits.
pub(super) fn decimal_part(digits: &str, unit: i128) -> Option<i128> {
    // More digits than these make no difference.
    const MAX_DIGITS: usize = 18;
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits = &digits[..digits.len().min(MAX_DIGITS)];
    let scale = 10_i128.pow(u32::try_from(digits.len()).ok()?);
    Some(digits.parse::<i128>().ok()? * unit / scale)
}

/// The number of units since 1970 for a moment.
pub(super) fn to_text(moment: OffsetDateTime, nanos: i128) -> String {
    (moment.unix_timestamp_nanos() / nanos).to_string()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn fractions_are_kept() {
        let second = |text: &str| since_1970(text, 1_000_000_000);
        assert_eq!(second("1500000000.125"), Some(datetime!(2017-07-14 2:40:00.125 UTC)));
        assert_eq!(second("1500000000,5"), Some(datetime!(2017-07-14 2:40:00.5 UTC)));
        assert_eq!(
            second("1500000000.0000000019999999999999"),
            Some(datetime!(2017-07-14 2:40:00.000000001 UTC))
        );
        assert_eq!(second("-0.5"), Some(datetime!(1969-12-31 23:59:59.5 UTC)));
        let milli = since_1970("1500000000125.25", 1_000_000);
        assert_eq!(milli, Some(datetime!(2017-07-14 2:40:00.12525 UTC)));
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "1.5.5",
            "1.-5",
            "1,793,525,400",
            "1e9",
            "1.5e9",
            "1 500000000",
        ] {
            assert_eq!(second(text), None, "{text}");
        }
    }
}
