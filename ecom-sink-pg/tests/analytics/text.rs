//! Values as the server prints them.

use time::{Duration, OffsetDateTime};

/// A moment, as in the time zone UTC.
pub(crate) fn stamp(time: OffsetDateTime) -> String {
    let (date, clock) = (time.date(), time.time());
    let seconds = format!(
        "{:02}:{:02}:{:02}{}",
        clock.hour(),
        clock.minute(),
        clock.second(),
        fraction(clock.microsecond())
    );
    format!("{date} {seconds}+00")
}

/// An interval that was made from seconds: hours may be many.
pub(crate) fn interval(time: Duration) -> String {
    let us = time.whole_microseconds();
    let seconds = us / 1_000_000;
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{clock}{}", fraction((us % 1_000_000) as u32))
}

/// An interval between two moments: whole days are days.
pub(crate) fn difference(time: Duration) -> String {
    let days = time.whole_days();
    let rest = interval(time - Duration::days(days));
    match days {
        0 => rest,
        1 => match time.whole_microseconds() % 86_400_000_000 {
            0 => "1 day".into(),
            _ => format!("1 day {rest}"),
        },
        _ => match time.whole_microseconds() % 86_400_000_000 {
            0 => format!("{days} days"),
            _ => format!("{days} days {rest}"),
        },
    }
}

fn fraction(us: u32) -> String {
    match us {
        0 => String::new(),
        us => format!(".{us:06}").trim_end_matches('0').to_owned(),
    }
}

/// An amount of hundredths.
pub(crate) fn money(cents: i128) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// `a / b`, rounded half up to that many decimals; nothing where `b` is 0.
pub(crate) fn ratio(a: i128, b: i128, decimals: u32) -> String {
    if b == 0 {
        return String::new();
    }
    let unit = 10_i128.pow(decimals);
    let scaled = (2 * a * unit + b) / (2 * b);
    format!("{}.{:0width$}", scaled / unit, scaled % unit, width = decimals as usize)
}

/// A share of 0 to 1, with four decimals.
pub(crate) fn share(a: usize, b: usize) -> String {
    ratio(a as i128, b as i128, 4)
}

/// The line with numbers in their shortest form: how many zeros stand at their end is no matter.
pub(crate) fn normal(line: &str) -> String {
    let shortest = |field: &str| match field.split_once('.') {
        Some((whole, decimals)) if is_number(whole) && is_number(decimals) => {
            let decimals = decimals.trim_end_matches('0');
            let dot = if decimals.is_empty() { "" } else { "." };
            format!("{whole}{dot}{decimals}")
        }
        _ => field.to_owned(),
    };
    line.split('|').map(shortest).collect::<Vec<_>>().join("|")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
