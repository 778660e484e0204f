//! Tests of goodness of fit: chi-square, and Kolmogorov-Smirnov.

use std::f64::consts::SQRT_2;

/// Pearson's chi-square test: the statistic, and the probability of a value at least as large by chance. `expected` may
/// be counts or shares; they are scaled to the number observed. `None` unless there are at least two classes, and
/// something is expected in each.
pub fn chi_square(observed: &[u64], expected: &[f64]) -> Option<(f64, f64)> {
    let seen = observed.iter().sum::<u64>() as f64;
    let scale = seen / expected.iter().sum::<f64>();
    let freedom = observed.len().checked_sub(1).filter(|&freedom| freedom > 0)?;
    if observed.len() != expected.len() || seen == 0.0 || expected.iter().any(|&count| count.is_nan() || count <= 0.0) {
        return None;
    }
    let pairs = observed.iter().zip(expected);
    let statistic = pairs
        .map(|(&observed, expected)| (observed as f64 - expected * scale).powi(2) / (expected * scale))
        .sum();
    Some((statistic, chi_square_tail(statistic, freedom)))
}

/// The probability that chi-square exceeds `statistic`. For whole degrees of freedom the incomplete gamma function is a
/// finite sum with a term for every two degrees.
fn chi_square_tail(statistic: f64, freedom: usize) -> f64 {
    let half = statistic / 2.0;
    let (mut tail, mut degrees) = match freedom % 2 {
        0 => (libm::exp(-half), 2.0),
        _ => (libm::erfc(half.sqrt()), 1.0),
    };
    while half > 0.0 && degrees < freedom as f64 {
        let power = degrees / 2.0;
        tail += libm::exp(power * libm::log(half) - half - libm::lgamma(power + 1.0));
        degrees += 2.0;
    }
    tail.min(1.0)
}

/// The Kolmogorov-Smirnov distance: the greatest distance between the distribution of the `sorted` values and a normal
/// distribution. `None` if there are no values, or if `sigma` is not above 0.
pub fn ks_normal(sorted: &[f64], mu: f64, sigma: f64) -> Option<f64> {
    if sorted.is_empty() || sigma.is_nan() || sigma <= 0.0 {
        return None;
    }
    let count = sorted.len() as f64;
    let mut distance: f64 = 0.0;
    let mut below = 0;
    // Equal values are one step of the distribution, not several.
    for equal in sorted.chunk_by(|a, b| a == b) {
        let normal = 0.5 * libm::erfc((mu - equal[0]) / (sigma * SQRT_2));
        distance = distance.max(normal - f64::from(below) / count);
        below += equal.len() as u32;
        distance = distance.max(f64::from(below) / count - normal);
    }
    Some(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_agree_with_a_table() {
        for (statistic, freedom, tail) in [
            (3.841, 1, 0.05),
            (5.991, 2, 0.05),
            (7.815, 3, 0.05),
            (18.307, 10, 0.05),
            (29.588, 10, 0.001),
            (124.342, 100, 0.05),
        ] {
            let found = chi_square_tail(statistic, freedom);
            assert!((found - tail).abs() < 1e-4, "{found} for {statistic} of {freedom}");
        }
        assert_eq!(chi_square_tail(0.0, 7), 1.0);
        assert_eq!(chi_square_tail(1e9, 3), 0.0);
    }

    #[test]
    fn chi_square_of_a_die() {
        let fair = [1.0; 6];
        // 5, 8, 9, 8, 10 and 20 where 10 each are expected: 25 + 4 + 1 + 4 + 0 + 100, by 10.
        let (statistic, p_value) = chi_square(&[5, 8, 9, 8, 10, 20], &fair).unwrap();
        assert!((statistic - 13.4).abs() < 1e-12);
        assert!((p_value - 0.0199).abs() < 1e-4, "{p_value}");
        assert_eq!(chi_square(&[10; 6], &fair), Some((0.0, 1.0)));
        assert_eq!(chi_square(&[10; 5], &fair), None);
        assert_eq!(chi_square(&[10], &[1.0]), None);
        assert_eq!(chi_square(&[0, 0], &[1.0, 1.0]), None);
        assert_eq!(chi_square(&[1, 2], &[1.0, 0.0]), None);
    }

    #[test]
    fn distances_of_known_samples() {
        // The median of the normal is met in the middle of a single step.
        assert_eq!(ks_normal(&[0.0], 0.0, 1.0), Some(0.5));
        // All of the values lie where 2.275 % of the normal is below.
        let distance = ks_normal(&[-2.0, -2.0, -2.0], 0.0, 1.0).unwrap();
        assert!((distance - 0.977_25).abs() < 1e-5, "{distance}");
        assert_eq!(ks_normal(&[], 0.0, 1.0), None);
        assert_eq!(ks_normal(&[1.0], 0.0, 0.0), None);
    }

    #[test]
    fn the_right_normal_distribution_is_near() {
        let sorted: Vec<f64> = (1..1_000)
            .map(|step| quantile_of_normal(f64::from(step) / 1_000.0))
            .collect();
        assert!(ks_normal(&sorted, 0.0, 1.0).unwrap() < 0.002);
        assert!(ks_normal(&sorted, 0.5, 1.0).unwrap() > 0.15);
        assert!(ks_normal(&sorted, 0.0, 2.0).unwrap() > 0.1);
    }

    /// The quantile of the standard normal distribution, by bisection.
    fn quantile_of_normal(share: f64) -> f64 {
        let (mut low, mut high) = (-10.0, 10.0);
        while high - low > 1e-9 {
            let middle = (low + high) / 2.0;
            match 0.5 * libm::erfc(-middle / SQRT_2) < share {
                true => low = middle,
                false => high = middle,
            }
        }
        low
    }
}
