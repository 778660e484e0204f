//! [`Min`] and [`Max`]: the least and the greatest value.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Aggregate;
use crate::operators::event_time::Timestamp;

macro_rules! extreme {
    ($(#[$doc:meta])* $name:ident, $which:literal, $is_better:tt) => {
        $(#[$doc])*
        ///
        /// Of equal values it is the one that was read first. A value that is not equal to itself, such as a floating-point NaN, is
        /// ignored. The result is `None` if there is no other value.
        #[derive(Debug, Clone, Copy)]
        pub struct $name<F>(F);

        impl<F> $name<F> {
            #[doc = concat!("Finds the ", $which, " value that `f` returns.")]
            pub fn of<In, V: PartialOrd>(f: F) -> Self
            where
                F: Fn(&In) -> V,
            {
                Self(f)
            }
        }

        impl<In, V, F> Aggregate<In> for $name<F>
        where
            V: PartialOrd + Clone + Serialize + DeserializeOwned + Send + 'static,
            F: Fn(&In) -> V + Send,
        {
            type Acc = Option<V>;
            type Out = Option<V>;

            fn empty(&self) -> Option<V> {
                None
            }

            #[allow(clippy::eq_op, reason = "NaN is not equal to itself")]
            fn add(&self, acc: &mut Option<V>, value: &In, _: Timestamp) {
                let value = self.0(value);
                if value == value && acc.as_ref().is_none_or(|best| value $is_better *best) {
                    *acc = Some(value);
                }
            }

            fn merge(&self, acc: &mut Option<V>, other: &Option<V>) {
                let Some(value) = other else { return };
                if acc.as_ref().is_none_or(|best| value $is_better best) {
                    *acc = Some(value.clone());
                }
            }

            fn result(&self, acc: &Option<V>) -> Option<V> {
                acc.clone()
            }
        }
    };
}

extreme! {
    /// The least value of `f`, like SQL's `min(x)`.
    ///
    /// ```
    /// use ecom_stream::aggregate::{Aggregate, Min};
    ///
    /// assert_eq!(Min::of(|n: &f64| *n).aggregate_all([2.5, 0.5]), Some(0.5));
    /// ```
    Min, "least", <
}

extreme! {
    /// The greatest value of `f`, like SQL's `max(x)`.
    ///
    /// ```
    /// use ecom_stream::aggregate::{Aggregate, Max};
    ///
    /// assert_eq!(Max::of(|name: &&str| name.len()).aggregate_all(["ann", "barbara"]), Some(7));
    /// ```
    Max, "greatest", >
}
