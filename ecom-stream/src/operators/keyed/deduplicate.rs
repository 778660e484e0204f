use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::store::{Store, check_not_zero};
use crate::contract::{BatchStream, Checkpoint, Position, Record, Result, StateChange, Topology, Transform};
use crate::operators::event_time::{EmitLate, LatePolicy, RejectLate, Timed, emit_or_reject_late, micros};
use crate::operators::state::{Changes, Operator, Output, run};

/// Keeps the first record of each key within a time; see [`KeyBy::deduplicate`](super::KeyBy::deduplicate).
///
/// A record is a double when it is less than that time, before or after, from one of its key that was kept; it is counted as
/// filtered. One that is behind the watermark by that time or more is late, since its key may have been forgotten: a reject with
/// reason `late`.
///
/// # Cost
///
/// Memory holds for each key of twice that time the key up to three times and some 100 bytes; the state has an entry of the key and
/// some 20 bytes. Where records come out of order by more than that time, it is some 10 bytes more for each that was kept. A batch writes those of the records it keeps.
#[derive(Debug, Clone)]
pub struct Deduplicate<F, L = RejectLate> {
    key: F,
    within: Duration,
    name: Arc<str>,
    late: PhantomData<L>,
}

impl<F> Deduplicate<F> {
    /// Keeps the first record of each `key` within a time.
    pub fn new(key: F, within: Duration) -> Self {
        Self {
            key,
            within,
            name: "deduplicate".into(),
            late: PhantomData,
        }
    }
}

impl<F, L> Deduplicate<F, L> {
    /// The name under which it keeps its state, in place of `deduplicate`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Lets late records come out beside the others, as [`WithLate`](crate::operators::WithLate), in place of rejecting them.
    #[must_use]
    pub fn emit_late(self) -> Deduplicate<F, EmitLate> {
        Deduplicate {
            key: self.key,
            within: self.within,
            name: self.name,
            late: PhantomData,
        }
    }
}

impl<T, K, F, L> Transform<Timed<T>> for Deduplicate<F, L>
where
    L: LatePolicy<T>,
    T: Send + 'static,
    K: Ord + Hash + Clone + Serialize + DeserializeOwned + Send + 'static,
    F: Fn(&T) -> K + Send,
{
    type Out = L::Out<Timed<T>>;

    fn describe(&self, topology: &mut Topology) {
        topology.add_operator(&*self.name);
    }

    fn apply(self, input: impl BatchStream<Timed<T>> + 'static, from: Checkpoint) -> impl BatchStream<Self::Out> {
        let operator = DeduplicateOperator::<_, _, L> {
            key: self.key,
            within: micros(self.within),
            kept: Store::<K, Kept>::new(),
            late: PhantomData,
        };
        run(operator, self.name, input, from)
    }
}

/// When the newest of a key was that was kept, and others that may still have doubles. There are any only where records come out
/// of order by more than the time, so that most keys cost no allocation.
type Kept = (i64, Vec<i64>);

struct DeduplicateOperator<F, K, L> {
    key: F,
    within: i64,
    kept: Store<K, Kept>,
    late: PhantomData<L>,
}

impl<T, K, F, L> Operator<Timed<T>> for DeduplicateOperator<F, K, L>
where
    L: LatePolicy<T>,
    T: Send + 'static,
    K: Ord + Hash + Clone + Serialize + DeserializeOwned + Send + 'static,
    F: Fn(&T) -> K + Send,
{
    type Out = L::Out<Timed<T>>;

    const FORMAT: u16 = 2;

    fn check(&self) -> Result<()> {
        check_not_zero("deduplicate within", self.within)
    }

    fn load(&mut self, entry: &StateChange) -> Result<()> {
        self.kept.load(entry, <Self as Operator<Timed<T>>>::FORMAT)
    }

    fn process(&mut self, records: Vec<Record<Timed<T>>>, _: &[Position], out: &mut Output<Self::Out>) {
        out.reserve(records.len());
        for Record { value: timed, origin } in records {
            let (time, now) = (timed.time.as_micros(), timed.watermark.as_micros());
            self.kept.expire(now);
            if time.saturating_add(self.within) <= now {
                emit_or_reject_late::<_, _, L>(timed, origin, now, out);
                continue;
            }
            let key = (self.key)(&timed.value);
            let is_near = |kept: &i64| time.abs_diff(*kept) < self.within.unsigned_abs();
            let kept = self.kept.get(&key);
            if kept.is_some_and(|(newest, others)| is_near(newest) || others.iter().any(is_near)) {
                out.filter(origin);
                continue;
            }
            // A double that is not late yet may be so far behind the watermark, and so far from the one that is kept.
            let until = |kept: i64| kept.saturating_add(self.within.saturating_mul(2));
            let (newest, others) = self.kept.update(key, until(time), || (time, Vec::new()));
            if *newest != time {
                others.push(time.min(*newest));
                others.retain(|kept| until(*kept) > now);
                *newest = time.max(*newest);
            }
            out.push(L::result(timed), origin);
        }
    }

    fn save(&mut self, changes: &mut Changes<'_>) -> Result<()> {
        self.kept.save(changes)
    }

    fn end(&mut self, _: &mut Output<Self::Out>) {
        self.kept.clear();
    }
}
