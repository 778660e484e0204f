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

    /// In [`Windows::hopping`] windows.
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

    /// In [`Windows::session`] windows.
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

    /// Turns each record into what `f` makes of it and of the state of its key; `None` leaves it out, counted as filtered. The
    /// state is made by `new`, and forgotten `time_to_live` (of event time) after the key's newest record. See [`Scan`].
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

    /// Keeps the first record of each key within a time (of events), and counts the others as filtered. See [`Deduplicate`].
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

    /// See [`Windows::early`].
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

    /// See [`Windows::offset`].
    pub fn offset(mut self, by: Duration) -> Self {
        self.windows = self.windows.offset(by);
        self
    }

    /// See [`WindowAggregate::emit_late`].
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

    /// Aggregates what is in the same window and has the same key; gives [`Windowed`](crate::operators::Windowed) results.
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
