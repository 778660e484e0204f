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
/// A window comes out when the watermark has passed its end: all its keys in one batch, windows in the order of their ends, keys
/// in their own order. A record is late when all its windows have closed; it becomes a reject with reason `late`, or comes out
/// beside the results ([`emit_late`](Self::emit_late)).
///
/// Windows that are open when a run ends, whether it was stopped or the input is exhausted, stay in the checkpoint. Only when
/// the [last run](crate::Pipeline::last_run) ends they close.
///
/// # Cost
///
/// For each key with a record in a window, or in a slice of hopping ones, memory holds the key, the accumulator and some 40
/// bytes, for sessions the key twice and some 150; the state has an entry of key, accumulator and some 10 bytes.
/// A batch writes the entries that it changed and one for the clock. When all windows have closed the state is empty.
#[derive(Debug, Clone)]
pub struct WindowAggregate<F, G, L = RejectLate> {
    windows: Windows,
    name: Arc<str>,
    key: F,
    aggregate: G,
    late: PhantomData<L>,
}

impl<F, G> WindowAggregate<F, G> {
    /// Aggregates by `aggregate` what is in the same window and has the same `key`.
    pub fn new(windows: Windows, key: F, aggregate: G) -> Self {
        Self::with_late(windows, key, aggregate)
    }
}

impl<F, G, L> WindowAggregate<F, G, L> {
    pub(crate) fn with_late(windows: Windows, key: F, aggregate: G) -> Self {
        Self {
            windows,
            name: "window".into(),
            key,
            aggregate,
            late: PhantomData,
        }
    }

    /// The name under which it keeps its state, in place of `window`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Lets late records come out beside the results, as [`WithLate`](crate::operators::WithLate), in place of rejecting them.
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
