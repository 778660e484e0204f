use std::ops::Range;

use crate::parameters::WareHabits;

/// The products of one category, the most popular first: popularity falls with 1 / (rank + head) ^ zipf.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    first: u32,
    /// Which share of the visits is to this category or to one before it.
    pub(super) visits_until: f64,
    /// Which share of the category's visits is to this rank or to one before it.
    until: Vec<f64>,
    /// For each of as many equal parts of [0, 1) as there are ranks, the rank on which its start falls.
    guide: Vec<u32>,
}

impl Shelf {
    pub(super) fn new(first: u32, len: u32, visits_until: f64, wares: &WareHabits) -> Self {
        let mut sum = 0.0;
        let popularity = (0..len).map(|rank| libm::pow(f64::from(rank) + 1.0 + wares.head, -wares.zipf));
        let mut until: Vec<f64> = popularity
            .map(|popularity| {
                sum += popularity;
                sum
            })
            .collect();
        until.iter_mut().for_each(|until| *until /= sum);
        let part = |at: u32| f64::from(at) / f64::from(len);
        let guide = (0..len)
            .map(|at| until.partition_point(|until| *until <= part(at)) as u32)
            .collect();
        Self {
            first,
            visits_until,
            until,
            guide,
        }
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.first as usize..self.first as usize + self.until.len()
    }

    /// The product for a number drawn from [0, 1).
    pub(super) fn product(&self, unit: f64) -> u32 {
        let last = self.until.len() - 1;
        let mut rank = self.guide[((unit * self.guide.len() as f64) as usize).min(last)] as usize;
        while rank < last && self.until[rank] <= unit {
            rank += 1;
        }
        self.first + rank as u32
    }

    /// The share of the category's draws that a rank has.
    pub(super) fn share(&self, rank: usize) -> f64 {
        self.until[rank] - if rank == 0 { 0.0 } else { self.until[rank - 1] }
    }

    /// How popular a rank is, in relation to the last one.
    pub(super) fn popularity(&self, rank: usize) -> f64 {
        self.share(rank) / self.share(self.until.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_shares() {
        for zipf in [0.0, 0.7, 1.0, 1.4] {
            let wares = WareHabits {
                zipf,
                ..WareHabits::default()
            };
            let shelf = Shelf::new(100, 50, 1.0, &wares);
            let mut counts = [0_u32; 50];
            for at in 0..100_000 {
                counts[(shelf.product(f64::from(at) / 1e5) - 100) as usize] += 1;
            }
            for (rank, count) in counts.iter().enumerate() {
                let share = f64::from(*count) / 1e5;
                assert!((share - shelf.share(rank)).abs() < 1e-4, "{zipf}, rank {rank}: {share}");
            }
            let ratio = shelf.popularity(0) / shelf.popularity(40);
            let expected = ((41.0 + wares.head) / (1.0 + wares.head)).powf(zipf);
            assert!((ratio / expected - 1.0).abs() < 1e-9, "{ratio}, {expected}");
        }
    }
}
