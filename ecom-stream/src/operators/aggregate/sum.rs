use std::ops::AddAssign;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Aggregate;
use crate::operators::event_time::Timestamp;

/// The sum of what a function gives: SQL's `sum(x)`, but 0 where SQL has `NULL`, when all are `None`.
///
/// Whole numbers are summed as `i128`, which they can't overflow; amounts of money are best summed in cents. Floating-point
/// numbers are summed as `f64`, in the order of the records; with a NaN the sum is NaN.
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
    /// Sums what `f` gives: a number, or an `Option` of one.
    pub fn of<In, N: Summable>(f: F) -> Self
    where
        F: Fn(&In) -> N,
    {
        Self(f)
    }
}

/// What [`Sum`] can sum: numbers, and `Option`s of them, of which `None` adds nothing.
#[diagnostic::on_unimplemented(
    message = "`Sum` can't add up values of type `{Self}`",
    label = "not `Summable`",
    note = "the closure that is passed to `Sum::of` gives a number, a `Price`, or `Option` of one of these"
)]
pub trait Summable {
    /// The sum.
    type Total: Default + Copy + AddAssign + Serialize + DeserializeOwned + Send + 'static;

    /// What it adds to the sum.
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
