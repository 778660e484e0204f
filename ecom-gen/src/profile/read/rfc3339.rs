//! Parses times in RFC 3339.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The microseconds since the Unix epoch of a time in RFC 3339.
pub(super) fn micros(text: &str) -> Option<i64> {
    utc(text.as_bytes()).or_else(|| {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000)).ok()
    })
}

/// The same for `YYYY-MM-DDTHH:MM:SS[.f]Z`, in a tenth of the time. Returns `None` for any other form.
fn utc(text: &[u8]) -> Option<i64> {
    let (clock, rest) = text.split_at_checked(19)?;
    let is_clock = clock[4] == b'-' && clock[7] == b'-' && clock[10] == b'T' && clock[13] == b':' && clock[16] == b':';
    let (year, month, day) = (number(&clock[0..4])?, number(&clock[5..7])?, number(&clock[8..10])?);
    let (hour, minute, second) = (
        number(&clock[11..13])?,
        number(&clock[14..16])?,
        number(&clock[17..19])?,
    );
    let is_day = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !is_clock || !is_day || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = match rest {
        b"Z" => 0,
        [b'.', digits @ .., b'Z'] if (1..=6).contains(&digits.len()) => {
            number(digits)? * 10_i64.pow(6 - digits.len() as u32)
        }
        _ => return None,
    };
    let seconds = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * 1_000_000 + fraction)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days since the Unix epoch. Internally years begin in March, so that the leap day is their last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_parser_agrees_with_the_full_one() {
        let mut seconds = -62_167_219_200; // the year 0
        while seconds < 253_402_300_800 {
            let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            let text = time.format(&Rfc3339).unwrap();
            assert_eq!(utc(text.as_bytes()), Some(seconds * 1_000_000), "{text}");
            seconds += 40_000_003;
        }
    }

    #[test]
    fn times_are_parsed() {
        let noon = 1_793_534_400_000_000;
        for (text, expected) in [
            ("2026-11-01T12:00:00Z", noon),
            ("2026-11-01T12:00:00.25Z", noon + 250_000),
            ("2026-11-01T12:00:00.000001Z", noon + 1),
            ("2026-11-01T12:00:00.0000019Z", noon + 1),
            ("2026-11-01T13:00:00+01:00", noon),
            ("2026-11-01t12:00:00z", noon),
        ] {
            assert_eq!(micros(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "now",
            "2026-11-01",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-01T24:00:00Z",
            "2026-11-01T12:00:00",
            "2026-11-01T12:00:00.Z",
            "2026-11-01T12:0x:00Z",
            "+026-11-01T12:00:00Z",
        ] {
            assert_eq!(micros(text), None, "{text}");
        }
    }
}
