//! Tuples of up to eight aggregates, as one aggregate.

use super::Aggregate;
use crate::operators::event_time::Timestamp;

macro_rules! tuple {
    ($($name:ident $at:tt),+) => {
        /// Computes all aggregates of the tuple in one pass.
        impl<In, $($name: Aggregate<In>),+> Aggregate<In> for ($($name,)+) {
            type Acc = ($($name::Acc,)+);
            type Out = ($($name::Out,)+);

            fn empty(&self) -> Self::Acc {
                ($(self.$at.empty(),)+)
            }

            fn add(&self, acc: &mut Self::Acc, value: &In, time: Timestamp) {
                $(self.$at.add(&mut acc.$at, value, time);)+
            }

            fn merge(&self, acc: &mut Self::Acc, other: &Self::Acc) {
                $(self.$at.merge(&mut acc.$at, &other.$at);)+
            }

            fn result(&self, acc: &Self::Acc) -> Self::Out {
                ($(self.$at.result(&acc.$at),)+)
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, G 5);
tuple!(A 0, B 1, C 2, D 3, E 4, G 5, H 6);
tuple!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7);
