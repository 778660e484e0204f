//! [`WindowAggregate`]: aggregates the records of each key in windows.

use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::StreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::result::Windowed;
use super::session::SessionOperator;
use super::sliced::SlicedOperator;
use super::slices::Slices;
use super::spec::{Kind, Windows};
use crate::contract::{BatchStream, Checkpoint, Topology, Transform};
use crate::operators::aggregate::Aggregate;
use crate::operators::event_time::{EmitLate, LatePolicy, RejectLate, Timed, micros};
use crate::operators::state::run;

/// Aggregates the records of each key in windows; see [`SourceExt::key_by`](crate::SourceExt::key_by).
///
/// The results of a window are emitted when the watermark has passed its end: all keys of a window in one batch, windows in the
/// order of their ends, and keys in the order of [`Ord`]. A record is late when all its windows are closed. It becomes a reject
/// with the reason `late`, or is emitted with the results ([`emit_late`](Self::emit_late)).
///
/// Windows that are open when a run ends stay in the checkpoint, and the next run goes on with them. It makes no difference
/// whether the run was stopped or its input has ended. Only the end of the [last run](crate::Pipeline::last_run) closes them.
///
/// # Cost
///
/// For each key with a record in a window (of hopping windows, in a slice) memory holds the key, the accumulator and some 40
/// bytes; for sessions the key twice, the accumulator and some 150 bytes. The state has an entry of the key, the accumulator and
/// some 10 bytes. A batch writes the entries that it changed and one for the watermark. When all windows are closed the state is
/// empty.
///
/// # Errors
///
/// A run fails with [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) at its start if the windows can't work (see
/// [`Windows::hopping`]), or if the state under its name is of other windows, keys or accumulators.
#[derive(Debug, Clone)]
pub struct WindowAggregate<F, G, L = RejectLate> {
    windows: Windows,
    name: Arc<str>,
    key: F,
    aggregate: G,
    late: PhantomData<L>,
}

impl<F, G> WindowAggregate<F, G> {
    /// Aggregates the records that are in the same window and have the same `key`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ecom_stream::aggregate::Count;
    /// use ecom_stream::memory::{MemorySink, MemorySource};
    /// use ecom_stream::operators::{WindowAggregate, Windows};
    /// use ecom_stream::{SourceExt, Timestamp};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let minutes = Windows::tumbling(Duration::from_mins(1));
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("seconds", vec![3, 9, 70])
    ///     .event_time(|second: &i64| Timestamp::from_micros(second * 1_000_000), Duration::ZERO)
    ///     .via(WindowAggregate::new(minutes, |second: &i64| second % 2 == 0, Count).named("by parity"))
    ///     .map(|result| (result.key, result.value))
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [(false, 2)]); // the second minute is still open
    /// # Ok(()) }
    /// ```
    pub fn new(windows: Windows, key: F, aggregate: G) -> Self {
        Self::with_late(windows, key, aggregate)
    }
}

impl<F, G, L> WindowAggregate<F, G, L> {
    /// Like [`new`](WindowAggregate::new), with any policy for late records.
    pub(crate) fn with_late(windows: Windows, key: F, aggregate: G) -> Self {
        Self {
            windows,
            name: "window".into(),
            key,
            aggregate,
            late: PhantomData,
        }
    }

    /// Sets the name under which the state is stored. It is `window` unless it is set.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Emits late records along with the results, as [`WithLate`](crate::operators::WithLate), instead of rejecting them.
    #[must_use]
    pub fn emit_late(self) -> WindowAggregate<F, G, EmitLate> {
        WindowAggregate::with_late(self.windows, self.key, self.aggregate).named(self.name)
    }
}

impl<T, K, F, G, L> Transform<Timed<T>> for WindowAggregate<F, G, L>
where
    T: Send + 'static,
    K: Ord + Hash + Clone + Serialize + DeserializeOwned + Send + 'static,
    F: Fn(&T) -> K + Send,
    G: Aggregate<T>,
    L: LatePolicy<T>,
{
    type Out = L::Out<Windowed<K, G::Out>>;

    fn describe(&self, topology: &mut Topology) {
        topology.add_operator(&*self.name);
    }

    fn apply(self, input: impl BatchStream<Timed<T>> + 'static, from: Checkpoint) -> impl BatchStream<Self::Out> {
        let Self {
            windows,
            name,
            key,
            aggregate,
            late: _,
        } = self;
        match windows.kind {
            Kind::Session { gap } => {
                let sessions = SessionOperator::<_, _, K, G::Acc, L>::new(windows, micros(gap), key, aggregate);
                run(sessions, name, input, from).left_stream()
            }
            Kind::Hopping { size, slide, offset } => {
                let slices = Slices::new(size, slide, offset);
                let sliced = SlicedOperator::<_, _, K, G::Acc, L>::new(windows, slices, key, aggregate);
                run(sliced, name, input, from).right_stream()
            }
        }
    }
}
