//! Finds the columns of times of day that belong to a date in another column.

use super::column::{Column, shortened};
use super::names::{TIME_OF_DAY, words};
use super::time_formats;

/// A column of times of day.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) at: usize,
    /// The format, if it is known.
    pub(super) format: Option<&'static str>,
}

impl Clock {
    /// The columns of times of day beside a time that `is_date` and other columns that `are_times`, the one that is named so first.
    pub(super) fn beside(is_date: bool, columns: &[Column], are_times: &[usize]) -> Vec<Self> {
        let clocks = (0..columns.len()).filter(|at| is_date && !are_times.contains(at) && are_in(&columns[*at]));
        let mut clocks: Vec<Self> = clocks
            .map(|at| Self {
                at,
                format: time_formats::guess_time_of_day(&columns[at].values),
            })
            .collect();
        clocks.sort_by_key(|clock| !is_named(&columns[clock.at]));
        clocks
    }

    /// Why it is not clear which time of day belongs to the date, if it has one.
    pub(super) fn doubt(clocks: &[Self], columns: &[Column]) -> Option<String> {
        let first = clocks.first()?;
        let column = &columns[first.at];
        if clocks.len() == 1 && first.format.is_some() && is_named(column) {
            return None;
        }
        let value = column.values.first().map(|value| shortened(value)).unwrap_or_default();
        Some(format!(
            "it has days only, and {:?} has a time of day ({value}): with the day alone, every event would be at midnight",
            column.name
        ))
    }
}

/// Whether all words of the name speak of a time of day. A load time or a session time is a duration.
fn is_named(column: &Column) -> bool {
    let words = words(&column.name);
    !words.is_empty() && words.iter().all(|word| TIME_OF_DAY.contains(&word.as_str()))
}

/// Whether a column has times of day without a date: `09:30`, `9:30:00 PM`; or bare numbers such as `0930`, if its name says so.
pub(super) fn are_in(column: &Column) -> bool {
    let is_named = is_named(column);
    !column.values.is_empty()
        && column.mostly(|value| {
            let value = value.trim().to_ascii_lowercase();
            let clock = value
                .trim_end_matches(['m', '.'])
                .trim_end_matches(['a', 'p'])
                .trim_end();
            let parts: Vec<&str> = clock.split([':', '.', 'h']).collect();
            let is_number =
                |part: &&str| (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            let below = |part: &str, limit: u32| part.parse::<u32>().is_ok_and(|number| number < limit);
            if !parts.iter().all(is_number) {
                return false;
            }
            let (hour, minute) = (parts[0], parts.get(1));
            if parts
                .get(2)
                .is_some_and(|second| second.len() != 2 || !below(second, 61))
            {
                return false;
            }
            match minute {
                Some(minute) => {
                    let has_colon = value.contains(':');
                    minute.len() == 2 && below(hour, 25) && below(minute, 60) && (has_colon || is_named)
                }
                None if clock != value => below(hour, 13),
                None => is_named && hour.len() <= 6 && (below(hour, 25) || (hour.len() >= 3 && below(hour, 240_000))),
            }
        })
}
