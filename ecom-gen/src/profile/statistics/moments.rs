//! The moments of a sample: mean, standard deviation, skewness and kurtosis.

/// The moments of a sample: mean, standard deviation, skewness and kurtosis.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Moments {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation (n - 1); 0 for a single value.
    pub sd: f64,
    /// The skewness; 0 if all values are equal.
    pub skew: f64,
    /// The excess kurtosis; 0 if all values are equal.
    pub excess_kurtosis: f64,
}

impl Moments {
    /// The moments of `values`; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let mut powers = [0.0; 3];
        for value in values {
            let off = value - mean;
            let square = off * off;
            powers[0] += square;
            powers[1] += square * off;
            powers[2] += square * square;
        }
        let [second, third, fourth] = powers.map(|power| power / count);
        let (skew, excess_kurtosis) = match second > 0.0 {
            true => (third / (second * second.sqrt()), fourth / (second * second) - 3.0),
            false => (0.0, 0.0),
        };
        Some(Self {
            mean,
            sd: (powers[0] / (count - 1.0).max(1.0)).sqrt(),
            skew,
            excess_kurtosis,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_known_values() {
        // Off the mean by -2, -1, -1, 0, 4: squares add up to 22, cubes to 54, fourth powers to 274.
        let moments = Moments::of(&[1.0, 2.0, 2.0, 3.0, 7.0]).unwrap();
        assert_eq!(moments.mean, 3.0);
        assert!((moments.sd - 5.5_f64.sqrt()).abs() < 1e-12);
        assert!((moments.skew - 10.8 / 4.4_f64.powf(1.5)).abs() < 1e-12);
        assert!((moments.excess_kurtosis - (54.8 / 19.36 - 3.0)).abs() < 1e-12);
    }

    #[test]
    fn moments_of_equal_values() {
        let moments = Moments::of(&[4.0]).unwrap();
        assert_eq!((moments.mean, moments.sd, moments.skew), (4.0, 0.0, 0.0));
        assert_eq!(Moments::of(&[4.0, 4.0]).unwrap().excess_kurtosis, 0.0);
        assert_eq!(Moments::of(&[]), None);
    }
}
