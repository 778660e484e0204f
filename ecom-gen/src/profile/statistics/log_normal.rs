//! A fitted lognormal distribution.

use serde::{Deserialize, Serialize};

use super::goodness_of_fit::ks_normal;
use super::moments::Moments;

/// A lognormal distribution fitted to a sample, and how well it fits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LogNormal {
    /// The mean of the natural logarithm.
    pub mu: f64,
    /// The standard deviation of the natural logarithm.
    pub sigma: f64,
    /// The skewness of the logarithm; 0 for a perfect fit.
    pub skew: f64,
    /// The excess kurtosis of the logarithm; 0 for a perfect fit.
    pub excess_kurtosis: f64,
    /// The Kolmogorov-Smirnov distance between the sample and the fit.
    pub ks: f64,
}

impl LogNormal {
    /// The fit to the values above 0; `None` unless there are at least two different ones.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut logs: Vec<f64> = values
            .iter()
            .filter(|&&value| value > 0.0)
            .map(|value| value.ln())
            .collect();
        logs.sort_unstable_by(f64::total_cmp);
        let moments = Moments::of(&logs)?;
        Some(Self {
            mu: moments.mean,
            sigma: moments.sd,
            skew: moments.skew,
            excess_kurtosis: moments.excess_kurtosis,
            ks: ks_normal(&logs, moments.mean, moments.sd)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::E;

    use super::*;

    #[test]
    fn the_fit_is_that_of_the_logarithms() {
        let fit = LogNormal::of(&[1.0 / E, 0.0, 1.0, E, -3.0]).unwrap();
        assert!((fit.mu, fit.skew) == (0.0, 0.0) && (fit.sigma - 1.0).abs() < 1e-12);
        // The step at -1: a third against the 15.87 % of the normal.
        assert!((fit.ks - (1.0 / 3.0 - 0.158_655)).abs() < 1e-6, "{}", fit.ks);
        assert_eq!(LogNormal::of(&[2.0, 2.0]), None);
        assert_eq!(LogNormal::of(&[0.0]), None);
    }
}
