//! [`Sum`]: the sum of numbers.

use std::ops::AddAssign;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Aggregate;
use crate::operators::event_time::Timestamp;

/// The sum of the values of `f`, like SQL's `sum(x)`. `None` adds nothing; where SQL gives `NULL`, the sum is 0.
///
/// Integers are summed as `i128`, so that the sum can't overflow in practice. Sum amounts of money in cents. Floating-point
/// numbers are summed as `f64`, in the order of the records; if any is NaN, the sum is NaN.
///
/// ```
/// use ecom_stream::Event;
/// use ecom_stream::aggregate::{Aggregate, Sum};
///
/// let revenue_cents = Sum::of(|event: &Event| event.price.map(|price| price.cents() * i64::from(event.quantity)));
/// assert_eq!(Sum::of(|n: &i64| *n).aggregate_all([i64::MAX, 1]), i128::from(i64::MAX) + 1);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Sum<F>(F);

impl<F> Sum<F> {
    /// Sums what `f` returns: a number, or an `Option` of one.
    pub fn of<In, N: Summable>(f: F) -> Self
    where
        F: Fn(&In) -> N,
    {
        Self(f)
    }
}

/// A type that [`Sum`] can sum: numbers, and `Option`s of numbers.
///
/// ```
/// use ecom_stream::aggregate::Summable;
///
/// assert_eq!(7_u8.amount(), 7_i128);
/// assert_eq!(None::<f32>.amount(), 0.0_f64);
/// ```
#[diagnostic::on_unimplemented(
    message = "`Sum` can't add up values of type `{Self}`",
    label = "not `Summable`",
    note = "the closure that is passed to `Sum::of` gives a number, a `Price`, or `Option` of one of these"
)]
pub trait Summable {
    /// The type of the sum.
    type Total: Default + Copy + AddAssign + Serialize + DeserializeOwned + Send + 'static;

    /// Returns what the value adds to the sum.
    fn amount(self) -> Self::Total;
}

macro_rules! summable {
    ($total:ty: $($number:ty),*) => {
        $(impl Summable for $number {
            type Total = $total;

            fn amount(self) -> $total {
                self.into()
            }
        })*
    };
}

summable!(i128: i8, i16, i32, i64, u8, u16, u32, u64);
summable!(f64: f32, f64);

impl<N: Summable> Summable for Option<N> {
    type Total = N::Total;

    fn amount(self) -> N::Total {
        self.map(N::amount).unwrap_or_default()
    }
}

impl<In, N, F> Aggregate<In> for Sum<F>
where
    N: Summable,
    F: Fn(&In) -> N + Send,
{
    type Acc = N::Total;
    type Out = N::Total;

    fn empty(&self) -> N::Total {
        N::Total::default()
    }

    fn add(&self, acc: &mut N::Total, value: &In, _: Timestamp) {
        *acc += self.0(value).amount();
    }

    fn merge(&self, acc: &mut N::Total, other: &N::Total) {
        *acc += *other;
    }

    fn result(&self, acc: &N::Total) -> N::Total {
        *acc
    }
}
