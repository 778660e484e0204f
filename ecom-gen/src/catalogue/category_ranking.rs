//! The products of one category, ranked by popularity.

use std::ops::Range;

use crate::parameters::ProductParameters;

/// The products of one category, the most popular first. Popularity is 1 / (rank + offset) ^ exponent: the
/// Zipf-Mandelbrot law.
#[derive(Debug, Clone)]
pub(super) struct CategoryRanking {
    first: u32,
    /// Share of all visits that go to this category or to one before it.
    pub(super) cumulative_visits: f64,
    /// Share of the category's visits that go to this rank or to one before it.
    cumulative: Vec<f64>,
    /// [0, 1) is divided into as many equal parts as there are ranks: for each part, the rank at its start.
    lookup: Vec<u32>,
}

impl CategoryRanking {
    pub(super) fn new(first: u32, len: u32, cumulative_visits: f64, parameters: &ProductParameters) -> Self {
        let mut sum = 0.0;
        let popularity = (0..len).map(|rank| {
            libm::pow(
                f64::from(rank) + 1.0 + parameters.zipf_offset,
                -parameters.zipf_exponent,
            )
        });
        let mut cumulative: Vec<f64> = popularity
            .map(|popularity| {
                sum += popularity;
                sum
            })
            .collect();
        cumulative.iter_mut().for_each(|cumulative| *cumulative /= sum);
        let part = |at: u32| f64::from(at) / f64::from(len);
        let lookup = (0..len)
            .map(|at| cumulative.partition_point(|cumulative| *cumulative <= part(at)) as u32)
            .collect();
        Self {
            first,
            cumulative_visits,
            cumulative,
            lookup,
        }
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.first as usize..self.first as usize + self.cumulative.len()
    }

    /// The product for a number drawn from [0, 1).
    pub(super) fn product(&self, unit: f64) -> u32 {
        let last = self.cumulative.len() - 1;
        let mut rank = self.lookup[((unit * self.lookup.len() as f64) as usize).min(last)] as usize;
        while rank < last && self.cumulative[rank] <= unit {
            rank += 1;
        }
        self.first + rank as u32
    }

    /// The share of the category's draws that go to a rank.
    pub(super) fn share(&self, rank: usize) -> f64 {
        self.cumulative[rank] - if rank == 0 { 0.0 } else { self.cumulative[rank - 1] }
    }

    /// The popularity of a rank, relative to the last rank.
    pub(super) fn popularity(&self, rank: usize) -> f64 {
        self.share(rank) / self.share(self.cumulative.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_shares() {
        for zipf in [0.0, 0.7, 1.0, 1.4] {
            let parameters = ProductParameters {
                zipf_exponent: zipf,
                ..ProductParameters::default()
            };
            let ranking = CategoryRanking::new(100, 50, 1.0, &parameters);
            let mut counts = [0_u32; 50];
            for at in 0..100_000 {
                counts[(ranking.product(f64::from(at) / 1e5) - 100) as usize] += 1;
            }
            for (rank, count) in counts.iter().enumerate() {
                let share = f64::from(*count) / 1e5;
                assert!(
                    (share - ranking.share(rank)).abs() < 1e-4,
                    "{zipf}, rank {rank}: {share}"
                );
            }
            let ratio = ranking.popularity(0) / ranking.popularity(40);
            let expected = ((41.0 + parameters.zipf_offset) / (1.0 + parameters.zipf_offset)).powf(zipf);
            assert!((ratio / expected - 1.0).abs() < 1e-9, "{ratio}, {expected}");
        }
    }
}
