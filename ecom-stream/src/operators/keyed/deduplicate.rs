//! [`Deduplicate`]: keeps the first record of each key within a time.

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
/// A record is a duplicate if the event time of a kept record of the same key is less than `within` away, before or after. It
/// is counted as filtered. *First* means the first that is read. A record that is behind the watermark by `within` or more is
/// late and becomes a reject with the reason `late`: its key may have been deleted.
///
/// # Cost
///
/// A key is remembered for twice `within` after its newest kept record. For each, memory holds the key up to three times and
/// some 100 bytes, and the state has an entry of the key and some 20 bytes. If records of a key are out of order by more than
/// `within`, each further kept record takes some 10 bytes more. A batch writes the entries of the records that it keeps.
///
/// # Errors
///
/// A run fails with [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) at its start if `within` is less than a
/// microsecond, or if the state under its name is of other types.
#[derive(Debug, Clone)]
pub struct Deduplicate<F, L = RejectLate> {
    key: F,
    within: Duration,
    name: Arc<str>,
    late: PhantomData<L>,
}

impl<F> Deduplicate<F> {
    /// Keeps the first record of each `key` within `within` of event time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ecom_stream::memory::{MemorySink, MemorySource};
    /// use ecom_stream::operators::Deduplicate;
    /// use ecom_stream::{SourceExt, Timestamp};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sink = MemorySink::new("doc");
    /// let summary = MemorySource::new("seconds", vec![1, 5, 11])
    ///     .event_time(|second: &i64| Timestamp::from_micros(second * 1_000_000), Duration::ZERO)
    ///     .via(Deduplicate::new(|_: &i64| (), Duration::from_secs(10)).named("once in ten seconds"))
    ///     .map(|timed| timed.value)
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [1, 11]);
    /// assert_eq!(summary.counts.filtered, 1);
    /// # Ok(()) }
    /// ```
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
    /// Sets the name under which the state is stored. It is `deduplicate` unless it is set.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Emits late records along with the results, as [`WithLate`](crate::operators::WithLate), instead of rejecting them.
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

/// The event time of the newest kept record of a key, and the times of older kept records that may still have duplicates. There
/// are older ones only if records are out of order by more than the time, so that most keys need no allocation.
type Kept = (i64, Vec<i64>);

/// The state of a running [`Deduplicate`].
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
            // A duplicate that is not late may be `within` behind the watermark, and `within` away from the kept record.
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
