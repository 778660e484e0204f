//! The distribution of events over hours, weekdays and days.

use serde::{Deserialize, Serialize};

use super::events::Events;
use super::sample_length::SampleLength;
use crate::micros::{DAY_MICROS, HOUR_MICROS};

/// The distribution of events over hours, weekdays and days, in the shop's time zone. Shares are corrected for how
/// often the sample covers an hour or weekday, so that a sample from Monday to Tuesday of the next week does not count
/// Mondays twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Clock {
    /// The time zone.
    pub zone: String,
    /// The share of events in each hour, from 0 to 23; `None` for a sample of less than a day.
    pub hours: Option<[f64; 24]>,
    /// The busiest hour divided by the quietest.
    pub peak_to_trough: Option<f64>,
    /// The share of events on each weekday, from Monday to Sunday; `None` for a sample of less than a week.
    pub weekdays: Option<[f64; 7]>,
    /// The busiest weekday divided by the quietest.
    pub busiest_to_quietest: Option<f64>,
    /// The busiest day divided by the median day; `None` for a sample of less than a week. Days are counted from the
    /// first event on.
    pub busiest_to_median_day: Option<f64>,
}

impl Clock {
    pub(super) fn of(events: &Events) -> Self {
        let (has_day, has_week) = (
            SampleLength::Day.is_reached_by(events.days()),
            SampleLength::Week.is_reached_by(events.days()),
        );
        let hours = has_day.then(|| rates(events, HOUR_MICROS, 0)).flatten();
        // 1970 began on a Thursday.
        let weekdays = has_week.then(|| rates(events, DAY_MICROS, 3)).flatten();
        Self {
            zone: events.zone.to_string(),
            peak_to_trough: hours.as_ref().and_then(|hours| ratio(hours)),
            hours,
            busiest_to_quietest: weekdays.as_ref().and_then(|weekdays| ratio(weekdays)),
            weekdays,
            busiest_to_median_day: has_week.then(|| busiest_to_median(events)).flatten(),
        }
    }
}

/// The relative rate of events in each of `N` recurring slots of this length; the rates add up to 1.
fn rates<const N: usize>(events: &Events, length: i64, ahead: i64) -> Option<[f64; N]> {
    let slot = |micros: i64| (events.local(micros).div_euclid(length) + ahead).rem_euclid(N as i64) as usize;
    let mut counts = [0_u64; N];
    for row in &events.rows {
        counts[slot(row.micros)] += 1;
    }
    let mut covered = [0_i64; N];
    let mut at = events.first;
    while at < events.last {
        let end = (at - events.local(at).rem_euclid(length) + length).min(events.last);
        covered[slot(at)] += end - at;
        at = end;
    }
    let rates: [f64; N] = std::array::from_fn(|slot| counts[slot] as f64 / covered[slot].max(1) as f64);
    let total: f64 = rates.iter().sum();
    (total > 0.0).then(|| rates.map(|rate| rate / total))
}

/// The largest value divided by the smallest; `None` if the smallest is 0.
fn ratio(shares: &[f64]) -> Option<f64> {
    let most = shares.iter().copied().fold(0.0, f64::max);
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    (least > 0.0).then(|| most / least)
}

fn busiest_to_median(events: &Events) -> Option<f64> {
    let mut days = vec![0_u32; ((events.last - events.first) / DAY_MICROS) as usize];
    for row in &events.rows {
        if let Some(day) = days.get_mut(((row.micros - events.first) / DAY_MICROS) as usize) {
            *day += 1;
        }
    }
    days.sort_unstable();
    let (most, median) = (*days.last()?, days[days.len() / 2]);
    (median > 0).then(|| f64::from(most) / f64::from(median))
}

#[cfg(test)]
mod tests {
    use crate::profile::fixtures::{self, measure, view};
    use crate::profile::measure::{Measure, MeasureOptions};

    #[test]
    fn shares_are_corrected_for_coverage() {
        // Eight days from a Monday on, one event each half hour, twice as many from 12 to 13 and on Sundays.
        let mut events = Vec::new();
        for half_hour in 0..8 * 48_i64 {
            let seconds = half_hour * 1_800;
            let doubled = [half_hour % 48 / 2 == 12, half_hour / 48 == 6]
                .into_iter()
                .filter(|&is| is)
                .count();
            events.extend((0..1 << doubled).map(|copy| view(seconds + copy, "u", "s", "p")));
        }
        let clock = measure(events.clone()).clock;
        let (hours, weekdays) = (clock.hours.unwrap(), clock.weekdays.unwrap());
        assert!((hours[12] / hours[11] - 2.0).abs() < 1e-9 && (hours.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!((weekdays[6] / weekdays[1] - 2.0).abs() < 1e-9);
        // Two Mondays have the same share as one.
        assert!((weekdays[0] / weekdays[1] - 1.0).abs() < 0.03, "{weekdays:?}");
        assert_eq!(clock.busiest_to_median_day, Some(2.0));

        let mut elsewhere = Measure::new(MeasureOptions {
            zone: "-05:30".parse().unwrap(),
        });
        for seen in &events {
            elsewhere.add(seen);
        }
        let clock = elsewhere.finish().clock;
        let hours = clock.hours.unwrap();
        assert!(hours[6] > 1.4 * hours[5] && hours[7] > 1.4 * hours[8], "{hours:?}");
        assert_eq!(clock.zone, "-05:30");
    }

    #[test]
    fn short_samples_have_no_hours_or_weekdays() {
        let clock = |days| measure([view(0, "u", "s", "p"), view(days * fixtures::DAY, "u", "s", "p")]).clock;
        assert_eq!((clock(0).hours, clock(0).peak_to_trough), (None, None));
        assert!(clock(2).hours.is_some());
        assert_eq!((clock(2).weekdays, clock(2).busiest_to_median_day), (None, None));
        // Most hours have no event, so there is no ratio.
        assert_eq!(clock(2).peak_to_trough, None);
    }
}
