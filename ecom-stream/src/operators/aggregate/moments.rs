//! [`Mean`] and [`Variance`], and the [`Moments`] from which both are computed.

use serde::{Deserialize, Serialize};

use super::Aggregate;
use crate::operators::event_time::Timestamp;

/// The count, mean and variance of numbers, computed in one pass.
///
/// It is numerically stable: neither large numbers nor many of them lose small differences. Numbers are added by Welford's
/// algorithm and merged by Chan's. It is the accumulator of [`Mean`] and [`Variance`], and can be that of an aggregate of your
/// own.
///
/// ```
/// use ecom_stream::aggregate::Moments;
///
/// let (mut moments, mut others) = (Moments::default(), Moments::default());
/// moments.add(1.0);
/// others.add(2.0);
/// others.add(3.0);
/// moments.merge(&others);
/// assert_eq!((moments.count(), moments.mean(), moments.sample_variance()), (3, Some(2.0), Some(1.0)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moments {
    count: u64,
    mean: f64,
    /// The sum of the squares of the differences from the mean.
    squares: f64,
}

impl Moments {
    /// Adds a number.
    pub fn add(&mut self, x: f64) {
        self.count += 1;
        let from_old = x - self.mean;
        self.mean += from_old / self.count as f64;
        self.squares += from_old * (x - self.mean);
    }

    /// Adds all numbers of `other`.
    pub fn merge(&mut self, other: &Self) {
        if self.count == 0 || other.count == 0 {
            if self.count == 0 {
                *self = *other;
            }
            return;
        }
        let (ours, theirs) = (self.count as f64, other.count as f64);
        let apart = other.mean - self.mean;
        self.count += other.count;
        let all = self.count as f64;
        self.mean += apart * theirs / all;
        self.squares += other.squares + apart * apart * ours * theirs / all;
    }

    /// The number of numbers.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; `None` if there are no numbers.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// The variance of the numbers as a sample; `None` if there are fewer than two.
    pub fn sample_variance(&self) -> Option<f64> {
        (self.count > 1).then(|| self.squares / (self.count - 1) as f64)
    }

    /// The variance of the numbers as a whole population; `None` if there are none.
    pub fn population_variance(&self) -> Option<f64> {
        (self.count > 0).then(|| self.squares / self.count as f64)
    }
}

/// The mean of the values of `f`, like SQL's `avg(x)`. It is `None` if there are no records, and NaN if any value is NaN.
///
/// ```
/// use ecom_stream::aggregate::{Aggregate, Mean};
///
/// assert_eq!(Mean::of(|n: &i32| *n).aggregate_all([1, 2, 6]), Some(3.0));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Mean<F>(F);

impl<F> Mean<F> {
    /// Computes the mean of what `f` returns.
    pub fn of<In, N: Into<f64>>(f: F) -> Self
    where
        F: Fn(&In) -> N,
    {
        Self(f)
    }
}

/// The variance of the values of `f`, like SQL's `var_samp(x)` or, with [`of_population`](Self::of_population), `var_pop(x)`.
///
/// It is `None` for a sample of fewer than two records and for a population of none, and NaN if any value is NaN. The standard
/// deviation is its square root.
///
/// ```
/// use ecom_stream::aggregate::{Aggregate, Variance};
///
/// let variance = Variance::of(|n: &i32| *n);
/// assert_eq!(variance.aggregate_all([1, 2, 3]), Some(1.0));
/// assert_eq!(variance.of_population().aggregate_all([1, 3]), Some(1.0));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Variance<F> {
    f: F,
    of_population: bool,
}

impl<F> Variance<F> {
    /// Computes the variance of what `f` returns, taken as a sample.
    pub fn of<In, N: Into<f64>>(f: F) -> Self
    where
        F: Fn(&In) -> N,
    {
        Self {
            f,
            of_population: false,
        }
    }

    /// Takes the values as a whole population instead of a sample.
    #[must_use]
    pub fn of_population(mut self) -> Self {
        self.of_population = true;
        self
    }
}

impl<In, N, F> Aggregate<In> for Mean<F>
where
    N: Into<f64>,
    F: Fn(&In) -> N + Send,
{
    type Acc = Moments;
    type Out = Option<f64>;

    fn empty(&self) -> Moments {
        Moments::default()
    }

    fn add(&self, acc: &mut Moments, value: &In, _: Timestamp) {
        acc.add(self.0(value).into());
    }

    fn merge(&self, acc: &mut Moments, other: &Moments) {
        acc.merge(other);
    }

    fn result(&self, acc: &Moments) -> Option<f64> {
        acc.mean()
    }
}

impl<In, N, F> Aggregate<In> for Variance<F>
where
    N: Into<f64>,
    F: Fn(&In) -> N + Send,
{
    type Acc = Moments;
    type Out = Option<f64>;

    fn empty(&self) -> Moments {
        Moments::default()
    }

    fn add(&self, acc: &mut Moments, value: &In, _: Timestamp) {
        acc.add((self.f)(value).into());
    }

    fn merge(&self, acc: &mut Moments, other: &Moments) {
        acc.merge(other);
    }

    fn result(&self, acc: &Moments) -> Option<f64> {
        if self.of_population {
            acc.population_variance()
        } else {
            acc.sample_variance()
        }
    }
}
