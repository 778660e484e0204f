//! [`KeyBy`] and [`KeyedWindows`]: the builders that lead from a key to an operator.

use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Deduplicate, Scan};
use crate::contract::Source;
use crate::operators::aggregate::Aggregate;
use crate::operators::event_time::{EmitLate, LatePolicy, RejectLate, Timed};
use crate::operators::via::Via;
use crate::operators::window::{WindowAggregate, Windows};

/// A source and a key of its records; see [`SourceExt::key_by`](crate::SourceExt::key_by).
///
/// It is not a source yet. Choose what is done with the records of each key: windows ([`tumbling`](Self::tumbling),
/// [`hopping`](Self::hopping), [`session`](Self::session), [`windows`](Self::windows)), a state for each key
/// ([`scan`](Self::scan)), or the removal of duplicates ([`deduplicate`](Self::deduplicate)).
///
/// Keys go into the checkpoint, and results come in the order of keys: a key needs `Ord`, `Hash`, `Clone` and serde's
/// `Serialize` and `DeserializeOwned`.
#[derive(Debug, Clone)]
#[must_use = "`key_by` alone does nothing: call `tumbling`, `scan`, `deduplicate` or another method of it"]
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

    /// Sets the name under which the next operator stores its state. Unless it is set, the name is `window`, `scan` or
    /// `deduplicate`.
    ///
    /// Two operators of a pipeline must not have the same name, and an operator must have the same name in every run.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ecom_stream::aggregate::Count;
    /// # use ecom_stream::{SourceExt, Timestamp, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let seconds = |second: &i64| Timestamp::from_micros(second * 1_000_000);
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("seconds", vec![3, 3, 70])
    ///     .event_time(seconds, Duration::ZERO)
    ///     .key_by(|second: &i64| *second)
    ///     .named("each second once")
    ///     .deduplicate(Duration::from_mins(1))
    ///     .key_by(|_| ())
    ///     .named("by minute")
    ///     .tumbling(Duration::from_mins(1))
    ///     .aggregate(Count)
    ///     .map(|minute| minute.value)
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [1]);
    /// # Ok(()) }
    /// ```
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Puts the records of each key into windows of `size`, one after the other. See [`Windows::tumbling`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ecom_stream::aggregate::Count;
    /// # use ecom_stream::{SourceExt, Timestamp, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let seconds = |second: &i64| Timestamp::from_micros(second * 1_000_000);
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("seconds", vec![3, 70, 90])
    ///     .event_time(seconds, Duration::from_secs(0))
    ///     .key_by(|_| ())
    ///     .tumbling(Duration::from_mins(1))
    ///     .aggregate(Count)
    ///     .map(|result| (result.window.start.as_micros() / 1_000_000, result.value))
    ///     .to(sink.clone())
    ///     .last_run(true)
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [(0, 1), (60, 2)]);
    /// # Ok(()) }
    /// ```
    pub fn tumbling(self, size: Duration) -> KeyedWindows<S, F> {
        self.windows(Windows::tumbling(size))
    }

    /// Puts the records of each key into overlapping windows of `size`, one every `slide`. See [`Windows::hopping`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ecom_stream::aggregate::Count;
    /// # use ecom_stream::{SourceExt, Timestamp, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let seconds = |second: &i64| Timestamp::from_micros(second * 1_000_000);
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("seconds", vec![3, 40, 70])
    ///     .event_time(seconds, Duration::from_secs(0))
    ///     .key_by(|_| ())
    ///     .hopping(Duration::from_mins(1), Duration::from_secs(30))
    ///     .aggregate(Count)
    ///     .map(|result| (result.window.start.as_micros() / 1_000_000, result.value))
    ///     .to(sink.clone())
    ///     .last_run(true)
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [(-30, 1), (0, 2), (30, 2), (60, 1)]);
    /// # Ok(()) }
    /// ```
    pub fn hopping(self, size: Duration, slide: Duration) -> KeyedWindows<S, F> {
        self.windows(Windows::hopping(size, slide))
    }

    /// Puts the records of each key into windows that last until the key has had no record for `gap`. See [`Windows::session`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ecom_stream::aggregate::Count;
    /// # use ecom_stream::{SourceExt, Timestamp, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let seconds = |second: &i64| Timestamp::from_micros(second * 1_000_000);
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("seconds", vec![3, 9, 70])
    ///     .event_time(seconds, Duration::from_secs(0))
    ///     .key_by(|_| ())
    ///     .session(Duration::from_secs(30))
    ///     .aggregate(Count)
    ///     .map(|result| (result.window.start.as_micros() / 1_000_000, result.value))
    ///     .to(sink.clone())
    ///     .last_run(true)
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [(3, 2), (70, 1)]);
    /// # Ok(()) }
    /// ```
    pub fn session(self, gap: Duration) -> KeyedWindows<S, F> {
        self.windows(Windows::session(gap))
    }

    /// Turns each record into what `f` returns for it and the state of its key. If `f` returns `None`, the record is counted as
    /// filtered.
    ///
    /// `new` makes the state of a key at its first record. The state is deleted when the watermark is `time_to_live` after the
    /// newest record of the key; a later record of the key gets a new state. See [`Scan`].
    ///
    /// The time since a user's last click:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ecom_stream::{SourceExt, Timestamp, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let clicks = vec![(1, "ann"), (5, "bob"), (9, "ann"), (700, "ann")];
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("clicks", clicks)
    ///     .event_time(|(second, _): &(i64, &str)| Timestamp::from_micros(second * 1_000_000), Duration::ZERO)
    ///     .key_by(|(_, user): &(i64, &str)| user.to_string())
    ///     .scan(Duration::from_mins(5), || None, |last: &mut Option<i64>, (second, user)| {
    ///         let before = last.replace(second);
    ///         Some((user, before.map(|before| second - before)))
    ///     })
    ///     .map(|timed| timed.value)
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [("ann", None), ("bob", None), ("ann", Some(8)), ("ann", None)]);
    /// # Ok(()) }
    /// ```
    pub fn scan<T, K, V, Out, N, G>(self, time_to_live: Duration, new: N, f: G) -> Via<S, Scan<F, N, G>>
    where
        S: Source<Item = Timed<T>>,
        T: Send + 'static,
        K: Ord + Hash + Clone + Serialize + DeserializeOwned + Send + 'static,
        V: Serialize + DeserializeOwned + Send + 'static,
        Out: Send + 'static,
        F: Fn(&T) -> K + Send,
        N: Fn() -> V + Send,
        G: FnMut(&mut V, T) -> Option<Out> + Send,
    {
        let scan = Scan::new(self.key, time_to_live, new, f);
        let scan = match self.name {
            Some(name) => scan.named(name),
            None => scan,
        };
        Via::new(self.source, scan)
    }

    /// Keeps the first record of each key, and counts records of that key less than `within` of event time away as filtered. See
    /// [`Deduplicate`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ecom_stream::{SourceExt, Timestamp, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("orders", vec![(1, "o7"), (2, "o8"), (9, "o7")])
    ///     .event_time(|(second, _): &(i64, &str)| Timestamp::from_micros(second * 1_000_000), Duration::ZERO)
    ///     .key_by(|(_, order): &(i64, &str)| order.to_string())
    ///     .deduplicate(Duration::from_hours(1))
    ///     .map(|timed| timed.value)
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [(1, "o7"), (2, "o8")]);
    /// # Ok(()) }
    /// ```
    pub fn deduplicate<T, K>(self, within: Duration) -> Via<S, Deduplicate<F>>
    where
        S: Source<Item = Timed<T>>,
        T: Send + 'static,
        K: Ord + Hash + Clone + Serialize + DeserializeOwned + Send + 'static,
        F: Fn(&T) -> K + Send,
    {
        let deduplicate = Deduplicate::new(self.key, within);
        let deduplicate = match self.name {
            Some(name) => deduplicate.named(name),
            None => deduplicate,
        };
        Via::new(self.source, deduplicate)
    }

    /// Puts the records of each key into the given windows.
    pub fn windows(self, windows: Windows) -> KeyedWindows<S, F> {
        KeyedWindows {
            of: self,
            windows,
            late: PhantomData,
        }
    }
}

/// A source, a key of its records, and the windows to put them into; see [`KeyBy`].
///
/// It is not a source yet: [`aggregate`](Self::aggregate) makes it one.
#[derive(Debug, Clone)]
#[must_use = "windows alone do nothing: call `aggregate`"]
pub struct KeyedWindows<S, F, L = RejectLate> {
    of: KeyBy<S, F>,
    windows: Windows,
    late: PhantomData<L>,
}

impl<S, F, L> KeyedWindows<S, F, L> {
    /// Keeps a window open to late records for `lateness` after its end. See [`Windows::allowed_lateness`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ecom_stream::aggregate::Count;
    /// # use ecom_stream::{SourceExt, Timestamp, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// use ecom_stream::operators::Firing;
    ///
    /// let seconds = |second: &i64| Timestamp::from_micros(second * 1_000_000);
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("seconds", vec![3, 70, 9])
    ///     .event_time(seconds, Duration::from_secs(0))
    ///     .key_by(|_| ())
    ///     .tumbling(Duration::from_mins(1))
    ///     .allowed_lateness(Duration::from_secs(30))
    ///     .aggregate(Count)
    ///     .map(|result| (result.firing, result.value))
    ///     .to(sink.clone())
    ///     .last_run(true)
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [(Firing::OnTime, 1), (Firing::Late, 2), (Firing::OnTime, 1)]);
    /// # Ok(()) }
    /// ```
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.windows = self.windows.allowed_lateness(lateness);
        self
    }

    /// Emits the results so far of open windows every `every` of event time. See [`Windows::early`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ecom_stream::aggregate::Count;
    /// # use ecom_stream::{SourceExt, Timestamp, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// use ecom_stream::operators::Firing;
    ///
    /// let seconds = |second: &i64| Timestamp::from_micros(second * 1_000_000);
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("seconds", vec![3, 25, 50, 70])
    ///     .event_time(seconds, Duration::from_secs(0))
    ///     .key_by(|_| ())
    ///     .tumbling(Duration::from_mins(1))
    ///     .early(Duration::from_secs(20))
    ///     .aggregate(Count)
    ///     .map(|result| (result.firing, result.value))
    ///     .to(sink.clone())
    ///     .last_run(true)
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [(Firing::Early, 1), (Firing::Early, 2), (Firing::OnTime, 3), (Firing::OnTime, 1)]);
    /// # Ok(()) }
    /// ```
    pub fn early(mut self, every: Duration) -> Self {
        self.windows = self.windows.early(every);
        self
    }

    /// Moves the beginnings of tumbling and hopping windows later by `by`. See [`Windows::offset`].
    pub fn offset(mut self, by: Duration) -> Self {
        self.windows = self.windows.offset(by);
        self
    }

    /// Emits late records along with the results, instead of rejecting them. See [`WindowAggregate::emit_late`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ecom_stream::aggregate::Count;
    /// # use ecom_stream::{SourceExt, Timestamp, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// use ecom_stream::Either;
    ///
    /// let seconds = |second: &i64| Timestamp::from_micros(second * 1_000_000);
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("seconds", vec![3, 70, 9])
    ///     .event_time(seconds, Duration::from_secs(0))
    ///     .key_by(|_| ())
    ///     .tumbling(Duration::from_mins(1))
    ///     .emit_late()
    ///     .aggregate(Count)
    ///     .map(|result| match result.into_either() {
    ///         Either::Left(result) => format!("{} in time", result.value),
    ///         Either::Right(second) => format!("late: {second}"),
    ///     })
    ///     .to(sink.clone())
    ///     .last_run(true)
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), ["1 in time", "late: 9", "1 in time"]);
    /// # Ok(()) }
    /// ```
    pub fn emit_late(self) -> KeyedWindows<S, F, EmitLate> {
        KeyedWindows {
            of: self.of,
            windows: self.windows,
            late: PhantomData,
        }
    }

    /// Aggregates the records that have the same key and are in the same window. The results are
    /// [`Windowed`](crate::operators::Windowed). A tuple of aggregates computes several in one pass.
    pub fn aggregate<T, K, G>(self, aggregate: G) -> Via<S, WindowAggregate<F, G, L>>
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
        let windows = match name {
            Some(name) => windows.named(name),
            None => windows,
        };
        Via::new(source, windows)
    }
}
