//! [`First`] and [`Last`]: the values of the earliest and of the latest record.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Aggregate;
use crate::operators::event_time::Timestamp;

macro_rules! at_one_end {
    ($(#[$doc:meta])* $name:ident, $which:literal, $is_nearer:tt) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name<F>(F);

        impl<F> $name<F> {
            #[doc = concat!("Takes what `f` returns for the ", $which, " record.")]
            pub fn of<In, V>(f: F) -> Self
            where
                F: Fn(&In) -> V,
            {
                Self(f)
            }
        }

        impl<In, V, F> Aggregate<In> for $name<F>
        where
            V: Clone + Serialize + DeserializeOwned + Send + 'static,
            F: Fn(&In) -> V + Send,
        {
            type Acc = Option<(Timestamp, V)>;
            type Out = Option<V>;

            fn empty(&self) -> Self::Acc {
                None
            }

            fn add(&self, acc: &mut Self::Acc, value: &In, time: Timestamp) {
                if acc.as_ref().is_none_or(|(at, _)| time $is_nearer *at) {
                    *acc = Some((time, self.0(value)));
                }
            }

            fn merge(&self, acc: &mut Self::Acc, other: &Self::Acc) {
                let Some((time, _)) = other else { return };
                if acc.as_ref().is_none_or(|(at, _)| time $is_nearer at) {
                    acc.clone_from(other);
                }
            }

            fn result(&self, acc: &Self::Acc) -> Option<V> {
                acc.as_ref().map(|(_, value)| value.clone())
            }
        }
    };
}

at_one_end! {
    /// The value of `f` for the record with the earliest event time. Of several with that time, the one that was read first.
    ///
    /// ```
    /// use ecom_stream::aggregate::{Aggregate, First};
    ///
    /// assert_eq!(First::of(|n: &i32| *n).aggregate_all([2, 7, 3]), Some(2));
    /// ```
    First, "first", <
}

at_one_end! {
    /// The value of `f` for the record with the latest event time. Of several with that time, the one that was read last.
    ///
    /// ```
    /// use ecom_stream::aggregate::{Aggregate, Last};
    ///
    /// assert_eq!(Last::of(|n: &i32| *n).aggregate_all([2, 7, 3]), Some(3));
    /// ```
    Last, "last", >=
}
