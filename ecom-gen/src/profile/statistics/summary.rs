//! Summary statistics of a sample: mean, standard deviation and quantiles.

use serde::{Deserialize, Serialize};

use super::moments::Moments;

/// Summary statistics of a sample: mean, standard deviation and quantiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SummaryStatistics {
    /// The number of values.
    pub count: u64,
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub sd: f64,
    /// The 1 % quantile.
    pub p1: f64,
    /// The lower quartile.
    pub p25: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub p75: f64,
    /// The 90 % quantile.
    pub p90: f64,
    /// The 99 % quantile.
    pub p99: f64,
    /// The maximum.
    pub max: f64,
}

impl SummaryStatistics {
    /// The statistics of `values`, which get sorted; `None` if there are none.
    pub fn of(values: &mut [f64]) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let moments = Moments::of(values)?;
        let at = |share| quantile(values, share);
        Some(Self {
            count: values.len() as u64,
            mean: moments.mean,
            sd: moments.sd,
            p1: at(0.01)?,
            p25: at(0.25)?,
            median: at(0.5)?,
            p75: at(0.75)?,
            p90: at(0.9)?,
            p99: at(0.99)?,
            max: at(1.0)?,
        })
    }
}

/// The quantile of sorted values, interpolated linearly; `None` if there are no values.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let at = share.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let below = sorted.get(at as usize)?;
    let above = sorted.get(at as usize + 1).unwrap_or(below);
    Some(below + (above - below) * at.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated() {
        let values = [10.0, 20.0, 30.0, 40.0];
        for (share, value) in [(0.0, 10.0), (0.5, 25.0), (0.25, 17.5), (1.0, 40.0), (7.0, 40.0)] {
            assert_eq!(quantile(&values, share), Some(value), "{share}");
        }
        assert_eq!(quantile(&[5.0], 0.3), Some(5.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn values_get_sorted() {
        let spread = SummaryStatistics::of(&mut [3.0, 1.0, 2.0, 5.0, 4.0]).unwrap();
        assert_eq!((spread.count, spread.mean, spread.median), (5, 3.0, 3.0));
        assert_eq!((spread.p25, spread.p75, spread.max), (2.0, 4.0, 5.0));
        assert!((spread.sd - 2.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!(SummaryStatistics::of(&mut []), None);
    }
}
