use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Aggregate;
use crate::operators::event_time::Timestamp;

macro_rules! extreme {
    ($(#[$doc:meta])* $name:ident, $which:literal, $is_better:tt) => {
        $(#[$doc])*
        ///
        /// Of equal values it is the one that came first. What can't be compared with itself, such as a floating-point NaN, is passed
        /// over; `None` when nothing is left.
        #[derive(Debug, Clone, Copy)]
        pub struct $name<F>(F);

        impl<F> $name<F> {
            #[doc = concat!("The ", $which, " of what `f` gives.")]
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

            #[allow(clippy::eq_op, reason = "NaN is not itself")]
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
    /// The least of what a function gives: SQL's `min(x)`.
    ///
    /// ```
    /// use ecom_stream::aggregate::{Aggregate, Min};
    ///
    /// assert_eq!(Min::of(|n: &f64| *n).aggregate_all([2.5, 0.5]), Some(0.5));
    /// ```
    Min, "least", <
}

extreme! {
    /// The greatest of what a function gives: SQL's `max(x)`.
    ///
    /// ```
    /// use ecom_stream::aggregate::{Aggregate, Max};
    ///
    /// assert_eq!(Max::of(|name: &&str| name.len()).aggregate_all(["ann", "barbara"]), Some(7));
    /// ```
    Max, "greatest", >
}
