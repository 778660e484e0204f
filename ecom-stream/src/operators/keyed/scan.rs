//! [`Scan`]: turns each record into another, with a state of its own for each key.

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

/// Turns each record into another, or filters it out, with a state of its own for each key; see
/// [`KeyBy::scan`](super::KeyBy::scan).
///
/// The state of a key is deleted when the watermark is a time to live after the newest record of the key. A record that is
/// behind the watermark by the time to live or more is late and becomes a reject with the reason `late`: its key may have been
/// deleted. Records of a key are processed in the order in which they are read, not in that of their times.
///
/// # Cost
///
/// Memory holds for each key its value, the key up to three times, and some 100 bytes. The state has an entry of the key, the
/// value and some 10 bytes. A batch writes the entries of the keys that it has records of.
///
/// # Errors
///
/// A run fails with [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) at its start if the time to live is less than
/// a microsecond, or if the state under its name is of other types.
#[derive(Debug, Clone)]
pub struct Scan<K, N, F, L = RejectLate> {
    key: K,
    time_to_live: Duration,
    name: Arc<str>,
    new: N,
    f: F,
    late: PhantomData<L>,
}

impl<K, N, F> Scan<K, N, F> {
    /// Turns each record into what `f` returns for it and the state of its `key`. `new` makes the state of a key that has none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ecom_stream::memory::{MemorySink, MemorySource};
    /// use ecom_stream::operators::Scan;
    /// use ecom_stream::{SourceExt, Timestamp};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let add = |sum: &mut i64, n: i64| {
    ///     *sum += n;
    ///     Some(*sum)
    /// };
    /// let sums = Scan::new(|n: &i64| n % 2, Duration::from_hours(1), || 0, add).named("sums");
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("numbers", vec![1, 2, 3])
    ///     .event_time(|n: &i64| Timestamp::from_micros(*n), Duration::ZERO)
    ///     .via(sums)
    ///     .map(|timed| timed.value)
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [1, 2, 4]);
    /// # Ok(()) }
    /// ```
    pub fn new(key: K, time_to_live: Duration, new: N, f: F) -> Self {
        Self {
            key,
            time_to_live,
            name: "scan".into(),
            new,
            f,
            late: PhantomData,
        }
    }
}

impl<K, N, F, L> Scan<K, N, F, L> {
    /// Sets the name under which the state is stored. It is `scan` unless it is set.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Emits late records along with the results, as [`WithLate`](crate::operators::WithLate), instead of rejecting them.
    #[must_use]
    pub fn emit_late(self) -> Scan<K, N, F, EmitLate> {
        Scan {
            key: self.key,
            time_to_live: self.time_to_live,
            name: self.name,
            new: self.new,
            f: self.f,
            late: PhantomData,
        }
    }
}

impl<T, K, V, Out, KeyOf, N, F, L> Transform<Timed<T>> for Scan<KeyOf, N, F, L>
where
    L: LatePolicy<T>,
    T: Send + 'static,
    K: Ord + Hash + Clone + Serialize + DeserializeOwned + Send + 'static,
    V: Serialize + DeserializeOwned + Send + 'static,
    Out: Send + 'static,
    KeyOf: Fn(&T) -> K + Send,
    N: Fn() -> V + Send,
    F: FnMut(&mut V, T) -> Option<Out> + Send,
{
    type Out = L::Out<Timed<Out>>;

    fn describe(&self, topology: &mut Topology) {
        topology.add_operator(&*self.name);
    }

    fn apply(self, input: impl BatchStream<Timed<T>> + 'static, from: Checkpoint) -> impl BatchStream<Self::Out> {
        let name = self.name.clone();
        let operator = ScanOperator {
            scan: self,
            store: Store::<K, V>::new(),
        };
        run(operator, name, input, from)
    }
}

/// The state of a running [`Scan`].
struct ScanOperator<KeyOf, N, F, L, K, V> {
    scan: Scan<KeyOf, N, F, L>,
    store: Store<K, V>,
}

impl<T, K, V, Out, KeyOf, N, F, L> Operator<Timed<T>> for ScanOperator<KeyOf, N, F, L, K, V>
where
    L: LatePolicy<T>,
    T: Send + 'static,
    K: Ord + Hash + Clone + Serialize + DeserializeOwned + Send + 'static,
    V: Serialize + DeserializeOwned + Send + 'static,
    Out: Send + 'static,
    KeyOf: Fn(&T) -> K + Send,
    N: Fn() -> V + Send,
    F: FnMut(&mut V, T) -> Option<Out> + Send,
{
    type Out = L::Out<Timed<Out>>;

    const FORMAT: u16 = 2;

    fn check(&self) -> Result<()> {
        check_not_zero("scan with a time to live of", micros(self.scan.time_to_live))
    }

    fn load(&mut self, entry: &StateChange) -> Result<()> {
        self.store.load(entry, <Self as Operator<Timed<T>>>::FORMAT)
    }

    fn process(&mut self, records: Vec<Record<Timed<T>>>, _: &[Position], out: &mut Output<Self::Out>) {
        out.reserve(records.len());
        for Record { value: timed, origin } in records {
            let now = timed.watermark.as_micros();
            self.store.expire(now);
            let until = timed.time.as_micros().saturating_add(micros(self.scan.time_to_live));
            if until <= now {
                emit_or_reject_late::<_, _, L>(timed, origin, now, out);
                continue;
            }
            let Timed { value, time, watermark } = timed;
            let state = self.store.update((self.scan.key)(&value), until, &self.scan.new);
            match (self.scan.f)(state, value) {
                Some(value) => out.push(L::result(Timed { value, time, watermark }), origin),
                None => out.filter(origin),
            }
        }
    }

    fn save(&mut self, changes: &mut Changes<'_>) -> Result<()> {
        self.store.save(changes)
    }

    fn end(&mut self, _: &mut Output<Self::Out>) {
        self.store.clear();
    }
}
