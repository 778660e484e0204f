use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aggregate::Aggregate;
use crate::operators::{LateBeside, LatePolicy, RejectLate, Then, WindowAggregate, Windows};
use crate::{Source, SourceExt, Timed};

/// A source whose records are to be taken key by key; see [`SourceExt::key_by`](crate::SourceExt::key_by).
#[derive(Debug, Clone)]
#[must_use = "it says by which key, not yet what to do"]
pub struct KeyBy<S, F> {
    source: S,
    key: F,
    name: Option<Arc<str>>,
}

impl<S, F> KeyBy<S, F> {
    pub(crate) fn new(source: S, key: F) -> Self {
        Self {
            source,
            key,
            name: None,
        }
    }

    /// The name under which what follows keeps its state, in place of `window` and the like. Two operators of a pipeline can't
    /// have the same.
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// In [`Windows::tumbling`] windows.
    pub fn tumbling(self, size: Duration) -> KeyedWindows<S, F> {
        self.windows(Windows::tumbling(size))
    }

    /// In [`Windows::hopping`] windows.
    pub fn hopping(self, size: Duration, slide: Duration) -> KeyedWindows<S, F> {
        self.windows(Windows::hopping(size, slide))
    }

    /// In [`Windows::session`] windows.
    pub fn session(self, gap: Duration) -> KeyedWindows<S, F> {
        self.windows(Windows::session(gap))
    }

    /// In the given windows.
    pub fn windows(self, windows: Windows) -> KeyedWindows<S, F> {
        KeyedWindows {
            of: self,
            windows,
            late: PhantomData,
        }
    }
}

/// A source whose records are to be aggregated by key and window; see [`SourceExt::key_by`](crate::SourceExt::key_by).
#[derive(Debug, Clone)]
#[must_use = "it says in which windows, not yet what to make of them"]
pub struct KeyedWindows<S, F, L = RejectLate> {
    of: KeyBy<S, F>,
    windows: Windows,
    late: PhantomData<L>,
}

impl<S, F, L> KeyedWindows<S, F, L> {
    /// See [`Windows::allowed_lateness`].
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.windows = self.windows.allowed_lateness(lateness);
        self
    }

    /// See [`Windows::early`].
    pub fn early(mut self, every: Duration) -> Self {
        self.windows = self.windows.early(every);
        self
    }

    /// See [`Windows::offset`].
    pub fn offset(mut self, by: Duration) -> Self {
        self.windows = self.windows.offset(by);
        self
    }

    /// See [`WindowAggregate::late_beside`].
    pub fn late_beside(self) -> KeyedWindows<S, F, LateBeside> {
        KeyedWindows {
            of: self.of,
            windows: self.windows,
            late: PhantomData,
        }
    }

    /// Aggregates what is in the same window and has the same key; gives [`Windowed`](crate::operators::Windowed) results.
    pub fn aggregate<T, K, G>(self, aggregate: G) -> Then<S, WindowAggregate<F, G, L>>
    where
        S: Source<Item = Timed<T>>,
        T: Send + 'static,
        K: Ord + Hash + Clone + Serialize + DeserializeOwned + Send + 'static,
        F: Fn(&T) -> K + Send,
        G: Aggregate<T>,
        L: LatePolicy<T>,
    {
        let KeyBy { source, key, name } = self.of;
        let windows = WindowAggregate::with_late(self.windows, key, aggregate);
        source.then(match name {
            Some(name) => windows.named(name),
            None => windows,
        })
    }
}
