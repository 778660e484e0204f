//! How busy the shop is, and how readily its visitors buy, at a time of the local day and week.

use crate::parameters::Seasonality;
use crate::zone::Zone;

const SECONDS_A_DAY: i64 = 86_400;

/// The [`Seasonality`] in a [`Zone`], scaled to a mean of 1.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    zone: Zone,
    hours: [f64; 24],
    weekdays: [f64; 7],
    buying_hours: [f64; 24],
}

/// A local time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LocalTime {
    /// Days since the Unix epoch.
    pub(crate) day: i64,
    /// The hour of the day, from 0 to 24, with fraction.
    pub(crate) hour: f64,
}

impl LocalTime {
    /// The day of the week; 0 is Monday.
    pub(crate) fn weekday(self) -> usize {
        // The Unix epoch was a Thursday.
        (self.day + 3).rem_euclid(7) as usize
    }
}

impl Calendar {
    pub(crate) fn new(seasonality: &Seasonality, zone: Zone) -> Self {
        Self {
            zone,
            hours: scaled_to_mean(seasonality.hours),
            weekdays: scaled_to_mean(seasonality.weekdays),
            buying_hours: weighted(seasonality.buying_hours, &seasonality.hours),
        }
    }

    /// The local time of a time in UTC.
    pub(crate) fn local(&self, unix_micros: i64) -> LocalTime {
        let seconds = unix_micros.div_euclid(1_000_000) + self.zone.offset_seconds(unix_micros);
        LocalTime {
            day: seconds.div_euclid(SECONDS_A_DAY),
            hour: seconds.rem_euclid(SECONDS_A_DAY) as f64 / 3_600.0,
        }
    }

    /// The number of visits relative to the mean.
    pub(crate) fn visit_factor(&self, at: LocalTime) -> f64 {
        self.weekdays[at.weekday()] * interpolate(&self.hours, at.hour)
    }

    /// How readily visitors buy, relative to the mean.
    pub(crate) fn purchase_factor(&self, at: LocalTime) -> f64 {
        interpolate(&self.buying_hours, at.hour)
    }
}

fn scaled_to_mean<const N: usize>(weights: [f64; N]) -> [f64; N] {
    weighted(weights, &[1.0; N])
}

/// Scales to a weighted mean of 1, where `counts` are the weights.
fn weighted<const N: usize>(weights: [f64; N], counts: &[f64; N]) -> [f64; N] {
    let sum: f64 = weights.iter().zip(counts).map(|(weight, count)| weight * count).sum();
    let mean = sum / counts.iter().sum::<f64>();
    match mean > 0.0 {
        true => weights.map(|weight| weight / mean),
        false => weights,
    }
}

/// The value at a time of day, interpolated linearly between the middles of the hours.
fn interpolate(hours: &[f64; 24], hour: f64) -> f64 {
    let from_middle = hour + 23.5;
    let (before, part) = (from_middle as usize % 24, from_middle.fract());
    hours[before] * (1.0 - part) + hours[(before + 1) % 24] * part
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::micros::micros;

    #[test]
    fn local_time_follows_daylight_saving_time() {
        let calendar = Calendar::new(&Seasonality::default(), "Europe/Berlin".parse().unwrap());
        let winter = calendar.local(micros(datetime!(2026-11-26 23:30 UTC)));
        assert_eq!((winter.hour, winter.weekday()), (0.5, 4));
        let summer = calendar.local(micros(datetime!(2026-07-01 12:15 UTC)));
        assert_eq!((summer.hour, summer.weekday()), (14.25, 2));
    }

    #[test]
    fn the_weekly_mean_is_1() {
        let calendar = Calendar::new(&Seasonality::default(), Zone::UTC);
        let start = micros(datetime!(2026-11-23 00:00 UTC));
        let minutes = 7 * 24 * 60;
        let at = |minute: i64| calendar.local(start + minute * 60_000_000);
        let mean: f64 = (0..minutes)
            .map(|minute| calendar.visit_factor(at(minute)))
            .sum::<f64>()
            / minutes as f64;
        assert!((mean - 1.0).abs() < 1e-3, "{mean}");
        let bought: f64 = (0..minutes)
            .map(|minute| calendar.visit_factor(at(minute)) * calendar.purchase_factor(at(minute)))
            .sum::<f64>()
            / minutes as f64;
        assert!((bought - 1.0).abs() < 2e-2, "{bought}");
    }

    #[test]
    fn values_are_interpolated_between_hours() {
        let mut hours = [0.0; 24];
        hours[23] = 4.0;
        hours[0] = 2.0;
        for (hour, value) in [
            (23.5, 4.0),
            (0.0, 3.0),
            (0.5, 2.0),
            (1.0, 1.0),
            (23.0, 2.0),
            (12.0, 0.0),
        ] {
            assert_eq!(interpolate(&hours, hour), value, "{hour}");
        }
    }
}
