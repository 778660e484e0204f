//! How counts concentrate on few items: the Gini coefficient, top shares, and the exponent of Zipf's law.

/// The number of ranks through which the line is fitted.
const RANKS: i32 = 60;

/// The Gini coefficient: 0 if all counts are equal, near 1 if one item has everything. `counts` must be sorted, the
/// largest first; `None` if they add up to 0.
pub fn gini(counts: &[u32]) -> Option<f64> {
    let total: f64 = counts.iter().map(|&count| f64::from(count)).sum();
    let weighted: f64 = (1_u64..)
        .zip(counts.iter().rev())
        .map(|(rank, &count)| rank as f64 * f64::from(count))
        .sum();
    let n = counts.len() as f64;
    (total > 0.0).then(|| 2.0 * weighted / (n * total) - (n + 1.0) / n)
}

/// The share of the total that the largest counts have: the given `share` of the items, but at least one. `counts` must
/// be sorted, the largest first; `None` if they add up to 0.
pub fn top_share(counts: &[u32], share: f64) -> Option<f64> {
    let sum = |counts: &[u32]| counts.iter().map(|&count| u64::from(count)).sum::<u64>() as f64;
    let top = ((counts.len() as f64 * share).round() as usize).clamp(1, counts.len().max(1));
    let total = sum(counts);
    (total > 0.0).then(|| sum(&counts[..top]) / total)
}

/// The exponent of Zipf's law from rank `first` to rank `last`: a least-squares fit of log count to log rank, at ranks
/// evenly spaced in the logarithm. `counts` must be sorted, the largest first; `None` if there are too few ranks.
pub fn zipf_exponent(counts: &[u32], first: usize, last: usize) -> Option<f64> {
    let ratio = last as f64 / first as f64;
    let mut ranks: Vec<usize> = (0..RANKS)
        .map(|step| (first as f64 * ratio.powf(f64::from(step) / f64::from(RANKS - 1))).round() as usize)
        .collect();
    ranks.dedup();
    let points: Vec<(f64, f64)> = ranks
        .into_iter()
        .filter_map(|rank| Some((rank, *counts.get(rank.checked_sub(1)?)?)))
        .filter(|&(_, count)| count > 0)
        .map(|(rank, count)| ((rank as f64).ln(), f64::from(count).ln()))
        .collect();
    slope(&points).map(|slope| -slope)
}

/// The slope of the least-squares line through `points`; `None` unless there are two different values of x.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let both: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let square: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (square > 0.0).then(|| both / square)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gini_of_known_counts() {
        assert_eq!(gini(&[5, 5, 5, 5]), Some(0.0));
        assert_eq!(gini(&[8, 0, 0, 0]), Some(0.75));
        // (2 * (1*1 + 2*2 + 3*3) / (3 * 6)) - 4/3
        assert!((gini(&[3, 2, 1]).unwrap() - 2.0 / 9.0).abs() < 1e-12);
        assert_eq!(gini(&[0, 0]), None);
        assert_eq!(gini(&[]), None);
    }

    #[test]
    fn top_share_of_known_counts() {
        let counts = [50, 30, 10, 5, 1, 1, 1, 1, 1, 0];
        assert_eq!(top_share(&counts, 0.1), Some(0.5));
        assert_eq!(top_share(&counts, 0.2), Some(0.8));
        assert_eq!(top_share(&counts, 0.0001), Some(0.5));
        assert_eq!(top_share(&[], 0.1), None);
    }

    #[test]
    fn slope_of_a_line() {
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]), Some(2.0));
        assert_eq!(slope(&[(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)]), Some(0.0));
        assert_eq!(slope(&[(1.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(slope(&[]), None);
    }

    #[test]
    fn the_zipf_exponent_is_recovered() {
        for exponent in [0.5, 1.0, 1.3] {
            let counts: Vec<u32> = (1..=2_000)
                .map(|rank| (1e9 / f64::from(rank).powf(exponent)) as u32)
                .collect();
            let found = zipf_exponent(&counts, 10, 1_000).unwrap();
            assert!((found - exponent).abs() < 1e-3, "{found} for {exponent}");
        }
        assert_eq!(zipf_exponent(&[3, 2, 1], 10, 1_000), None);
    }
}
