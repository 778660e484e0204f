//! Formats numbers, times and texts for people.

use std::borrow::Cow;
use std::time::Duration;

use time::{OffsetDateTime, UtcOffset};

/// A number with commas between the thousands.
///
/// # Examples
///
/// ```
/// use ecom_ingest::format::count;
///
/// assert_eq!(count(1_234_567), "1,234,567");
/// ```
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in a suitable unit.
///
/// # Examples
///
/// ```
/// use ecom_ingest::format::bytes;
///
/// assert_eq!(bytes(999), "999 bytes");
/// assert_eq!(bytes(1_234_567), "1.2 MB");
/// ```
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

const DAY: u64 = 86_400;

/// A text with its control characters escaped, so that it cannot control a terminal.
///
/// # Examples
///
/// ```
/// use ecom_ingest::format::on_one_line;
///
/// assert_eq!(on_one_line("a\tb\n"), r"a\tb\n");
/// ```
pub fn on_one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char.is_control() {
            true => shown.extend(char.escape_default()),
            false => shown.push(char),
        }
    }
    shown
}

/// A text without control characters but line breaks and tabs, so that it cannot control a terminal. Others are written as
/// JSON and TOML write them in strings, so that a text in one of these stays what it means.
///
/// # Examples
///
/// ```
/// use ecom_ingest::format::printable;
///
/// assert_eq!(printable("two\n\tlines"), "two\n\tlines");
/// assert_eq!(printable("\u{1b}[2J"), r"\u001b[2J");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_printable = |char: char| !char.is_control() || char == '\n' || char == '\t';
    if text.chars().all(is_printable) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match is_printable(char) {
            true => shown.push(char),
            false => shown.push_str(&format!("\\u{:04x}", u32::from(char))),
        }
    }
    shown.into()
}

/// A text quoted for a shell, if it has to be.
///
/// # Examples
///
/// ```
/// use ecom_ingest::format::shell_quoted;
///
/// assert_eq!(shell_quoted("/srv/shop"), "/srv/shop");
/// assert_eq!(shell_quoted("my shop"), "'my shop'");
/// ```
pub fn shell_quoted(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "_-./:=@%+,".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.contains(char::is_control) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut quoted = "$'".to_owned();
    for char in text.chars() {
        match char {
            '\'' | '\\' => quoted.extend(['\\', char]),
            char if char.is_control() => {
                let mut bytes = [0; 4];
                let bytes = char.encode_utf8(&mut bytes).bytes();
                quoted.extend(bytes.map(|byte| format!("\\x{byte:02x}")));
            }
            char => quoted.push(char),
        }
    }
    quoted + "'"
}

/// A time in UTC, to the minute: `2026-08-28 13:35 UTC`.
pub fn to_the_minute(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    let (date, hour, minute) = (time.date(), time.hour(), time.minute());
    format!("{date} {hour:02}:{minute:02} UTC")
}

/// A duration in few digits.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use ecom_ingest::format::duration;
///
/// assert_eq!(duration(Duration::from_millis(90)), "90 ms");
/// assert_eq!(duration(Duration::from_secs(90)), "1m 30s");
/// ```
pub fn duration(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds if seconds >= 100 * DAY => format!("{} days", count(seconds / DAY)),
        seconds => {
            let unit = [3_600, 60, 1]
                .into_iter()
                .find(|unit| seconds >= 100 * unit)
                .unwrap_or(1);
            humantime::format_duration(Duration::from_secs(seconds / unit * unit)).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let day = Duration::from_secs(DAY);
        for (time, text) in [
            (Duration::from_millis(90), "90 ms"),
            (Duration::from_millis(2_340), "2.3 s"),
            (Duration::from_secs(90), "1m 30s"),
            (day * 3 + Duration::from_secs(7_260), "3days 2h 1m"),
            (day * 2_614, "2,614 days"),
        ] {
            assert_eq!(duration(time), text);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(on_one_line("Mä\x1b[2J\nx"), "Mä\\u{1b}[2J\\nx");
        assert_eq!(printable("Mä\x1b[2J\n\u{9b}2J\x7f"), "Mä\\u001b[2J\n\\u009b2J\\u007f");
    }

    #[test]
    fn quoted_text_survives_a_shell() {
        for (text, word) in [
            ("/srv/shop/a-1.csv", "/srv/shop/a-1.csv"),
            ("", "''"),
            ("my $(rm) file", "'my $(rm) file'"),
            ("l'été", r"'l'\''été'"),
            ("a'\x1b[2J\n", r"$'a\'\x1b[2J\x0a'"),
        ] {
            assert_eq!(shell_quoted(text), word);
            let printf = std::process::Command::new("bash")
                .args(["-c", &format!("printf %s. {word}")])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(printf.stdout).unwrap(), format!("{text}."));
        }
    }

    #[test]
    fn times_are_shown_in_utc() {
        let moment = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_787_924_159);
        let elsewhere = moment.to_offset(UtcOffset::from_hms(-5, 0, 0).unwrap());
        assert_eq!(to_the_minute(elsewhere), "2026-08-28 13:35 UTC");
    }

    #[test]
    fn thousands_are_separated() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
    }
}
