//! [`SourceExt`]: the operators as methods of every source.

use std::hash::Hash;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::{Batch, Either, Refusal, Result, Sink, Source, Transform};
use crate::csv::CsvRecord;
use crate::event::{Event, Rules};
use crate::operators::boxed::BoxSource;
use crate::operators::event_time::{EventTime, HasEventTime, Timed, Timestamp};
use crate::operators::filter::Filter;
use crate::operators::flat_map::FlatMap;
use crate::operators::inspect::Inspect;
use crate::operators::join::{IntervalJoin, LookupJoin};
use crate::operators::keyed::KeyBy;
use crate::operators::map::Map;
use crate::operators::merge::Merge;
use crate::operators::par_map::ParMap;
use crate::operators::route::Route;
use crate::operators::stamp::Stamp;
use crate::operators::try_map::TryMap;
use crate::operators::validate::Validate;
use crate::operators::via::Via;
use crate::operators::with_branch::{BranchSource, WithBranch};
use crate::run::Pipeline;

/// The operators, as methods of every source.
///
/// Each method consumes the source and returns a source again, so that calls can be chained. Each is one line over
/// [`via`](Self::via). Nothing runs until [`to`](Self::to) makes a [`Pipeline`] and that is run. All closures are called record
/// by record, in the order of the records; a panic in one ends the run.
///
/// Every method keeps the contract of a [`Transform`]: a record that comes in goes out, is rejected, or is counted as filtered.
pub trait SourceExt: Source {
    /// Applies a transform to the source. The result is a source again.
    ///
    /// Use it for a [`Transform`] of your own, and for an operator whose settings no method here offers.
    ///
    /// ```
    /// use ecom_stream::memory::{MemorySink, MemorySource};
    /// use ecom_stream::{BatchStream, Checkpoint, SourceExt, Transform};
    /// use futures::TryStreamExt;
    ///
    /// /// A transform of your own.
    /// struct Double;
    ///
    /// impl Transform<i64> for Double {
    ///     type Out = i64;
    ///
    ///     fn apply(self, input: impl BatchStream<i64> + 'static, _: Checkpoint) -> impl BatchStream<i64> {
    ///         input.map_ok(|batch| batch.try_filter_map(|n, _| Ok(Some(n * 2))))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("numbers", vec![1, 2, 3]).via(Double).to(sink.clone()).run().await?;
    /// assert_eq!(sink.values(), [2, 4, 6]);
    /// # Ok(()) }
    /// ```
    fn via<T: Transform<Self::Item>>(self, transform: T) -> Via<Self, T> {
        Via::new(self, transform)
    }

    /// Turns each record into another, which keeps its origin.
    ///
    /// ```
    /// # use ecom_stream::{SourceExt, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("numbers", vec![1, 2, 3]).map(|n: i64| n * n).to(sink.clone()).run().await?;
    /// assert_eq!(sink.values(), [1, 4, 9]);
    /// # Ok(()) }
    /// ```
    fn map<F, Out>(self, f: F) -> Via<Self, Map<F>>
    where
        F: FnMut(Self::Item) -> Out + Send,
        Out: Send + 'static,
    {
        self.via(Map::new(f))
    }

    /// Keeps the records for which `predicate` returns `true`. The others are counted as filtered.
    ///
    /// ```
    /// # use ecom_stream::{SourceExt, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sink = MemorySink::new("doc");
    /// let summary = MemorySource::new("numbers", vec![1, 2, 3]).filter(|n| n % 2 == 1).to(sink.clone()).run().await?;
    /// assert_eq!(sink.values(), [1, 3]);
    /// assert_eq!(summary.counts.filtered, 1);
    /// # Ok(()) }
    /// ```
    fn filter<F>(self, predicate: F) -> Via<Self, Filter<F>>
    where
        F: FnMut(&Self::Item) -> bool + Send,
    {
        self.via(Filter::new(predicate))
    }

    /// Turns each record into another, or rejects it: the returned [`Refusal`] becomes a [`Reject`](crate::Reject), with the place
    /// and the bytes that the record was read from. The pipeline goes on.
    ///
    /// ```
    /// # use ecom_stream::{Refusal, SourceExt, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("words", vec!["7", "x"])
    ///     .try_map(|word: &str| word.parse::<i64>().map_err(|err| Refusal::new("not_a_number", err.to_string())))
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [7]);
    /// assert_eq!(sink.rejects()[0].refusal.reason.as_str(), "not_a_number");
    /// # Ok(()) }
    /// ```
    fn try_map<F, Out>(self, f: F) -> Via<Self, TryMap<F>>
    where
        F: FnMut(Self::Item) -> Result<Out, Refusal> + Send,
        Out: Send + 'static,
    {
        self.via(TryMap::new(f))
    }

    /// Turns each record into any number of others, all with the same origin.
    ///
    /// A record that becomes none is counted as filtered. One that becomes several is counted once as read and several times as
    /// stored, so the counts of the run no longer balance.
    ///
    /// ```
    /// # use ecom_stream::{SourceExt, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("lines", vec!["a b", "", "c"])
    ///     .flat_map(|line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), ["a", "b", "c"]);
    /// # Ok(()) }
    /// ```
    fn flat_map<F, Out>(self, f: F) -> Via<Self, FlatMap<F>>
    where
        F: FnMut(Self::Item) -> Out + Send,
        Out: IntoIterator<Item: Send + 'static>,
    {
        self.via(FlatMap::new(f))
    }

    /// Turns each record into another as [`map`](Self::map) does, on up to `batches` batches in parallel, each in a task of its
    /// own. Records keep their order. It is for functions that take noticeable CPU time.
    ///
    /// It is only faster than `map` on a runtime with several threads.
    ///
    /// # Errors
    ///
    /// A panic of `f` ends the run with [`ErrorKind::Panicked`](crate::ErrorKind::Panicked).
    ///
    /// ```
    /// # use ecom_stream::{SourceExt, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("numbers", vec![1, 2, 3]).par_map(4, |n: i64| n * n).to(sink.clone()).run().await?;
    /// assert_eq!(sink.values(), [1, 4, 9]);
    /// # Ok(()) }
    /// ```
    fn par_map<F, Out>(self, batches: usize, f: F) -> Via<Self, ParMap<F>>
    where
        F: Fn(Self::Item) -> Out + Send + Sync + 'static,
        Out: Send + 'static,
    {
        self.via(ParMap::new(batches, f))
    }

    /// Tags each record by a predicate: those for which `predicate` returns `true` become [`Either::Left`], the others
    /// [`Either::Right`].
    ///
    /// Both kinds stay in one stream, in order. What follows can treat them differently, and a sink can write them to different
    /// tables.
    ///
    /// ```
    /// # use ecom_stream::{Either, SourceExt, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("numbers", vec![1, 2, 3]).route(|n: &i64| n % 2 == 1).to(sink.clone()).run().await?;
    /// assert_eq!(sink.values(), [Either::Left(1), Either::Right(2), Either::Left(3)]);
    /// # Ok(()) }
    /// ```
    fn route<F>(self, predicate: F) -> Via<Self, Route<F>>
    where
        F: FnMut(&Self::Item) -> bool + Send,
    {
        self.via(Route::new(predicate))
    }

    /// Passes the records on as [`Either::Left`], and adds the results of a chain of operators over the same records as
    /// [`Either::Right`].
    ///
    /// So one pipeline stores both the events and, say, their counts by minute, in one transaction. `chain` is called once, when
    /// the pipeline is built. See [`WithBranch`] for order, counts and rejects.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ecom_stream::aggregate::Count;
    /// # use ecom_stream::{Either, SourceExt, Timestamp, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let seconds = |second: &i64| Timestamp::from_micros(second * 1_000_000);
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("seconds", vec![3, 9, 70])
    ///     .with_branch(|all| {
    ///         all.event_time(seconds, Duration::ZERO)
    ///             .key_by(|_| ())
    ///             .tumbling(Duration::from_mins(1))
    ///             .aggregate(Count)
    ///             .map(|minute| minute.value)
    ///     })
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// let (left, right) = (Either::Left, Either::Right);
    /// assert_eq!(sink.values(), [left(3), left(9), left(70), right(2)]);
    /// # Ok(()) }
    /// ```
    fn with_branch<F, S>(self, chain: F) -> Via<Self, WithBranch<S, Self::Item>>
    where
        F: FnOnce(BranchSource<Self::Item>) -> S,
        S: Source<Ack = ()> + 'static,
        Self::Item: Clone,
    {
        self.via(WithBranch::new(chain))
    }

    /// Calls `f` with each batch and passes the batch on unchanged. It is for logs and counters.
    ///
    /// A batch that `f` has seen is not yet durable: after a crash the same records come again.
    ///
    /// ```
    /// # use ecom_stream::{SourceExt, memory::{MemorySink, MemorySource}};
    /// # use std::sync::atomic::{AtomicUsize, Ordering};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// static SEEN: AtomicUsize = AtomicUsize::new(0);
    /// MemorySource::new("numbers", vec![1, 2, 3])
    ///     .inspect(|batch| { SEEN.fetch_add(batch.records.len(), Ordering::Relaxed); })
    ///     .to(MemorySink::new("doc"))
    ///     .run()
    ///     .await?;
    /// assert_eq!(SEEN.load(Ordering::Relaxed), 3);
    /// # Ok(()) }
    /// ```
    fn inspect<F>(self, f: F) -> Via<Self, Inspect<F>>
    where
        F: FnMut(&Batch<Self::Item>) + Send,
    {
        self.via(Inspect::new(f))
    }

    /// Turns CSV records into events by the given [`Rules`]. A record that breaks a rule becomes a reject with a reason code.
    ///
    /// No value is replaced by a default that the rules don't name.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Header, Reason, Rules, SourceExt, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let header = Arc::new(Header::new(["event_time", "event_type", "user_id", "session_id", "product_id"]));
    /// let good = CsvRecord::new(header.clone(), ["2026-11-01T12:00:00Z", "view", "u1", "s1", "p1"])?;
    /// let bad = CsvRecord::new(header, ["yesterday", "view", "u1", "s1", "p1"])?;
    ///
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("records", vec![good, bad]).validate(Rules::default()).to(sink.clone()).run().await?;
    /// assert_eq!(sink.values()[0].user_id, "u1");
    /// assert_eq!(sink.rejects()[0].refusal.reason, Reason::EVENT_TIME_MALFORMED);
    /// # Ok(()) }
    /// ```
    fn validate(self, rules: Rules) -> Via<Self, Validate>
    where
        Self: Source<Item = CsvRecord>,
    {
        self.via(Validate::new(rules))
    }

    /// Sets [`Event::processed_at`](Event) of each event to the current time. The system clock is read once for each batch.
    ///
    /// [`Stamp::new`] takes another clock.
    ///
    /// ```
    /// # use ecom_stream::{Event, EventType, SourceExt, memory::{MemorySink, MemorySource}};
    /// # use time::OffsetDateTime;
    /// # use uuid::Uuid;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let event = Event::new(Uuid::nil(), OffsetDateTime::UNIX_EPOCH, EventType::View, "user", "session", "product");
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("events", vec![event]).stamp().to(sink.clone()).run().await?;
    /// assert!(sink.values()[0].processed_at.is_some());
    /// # Ok(()) }
    /// ```
    fn stamp(self) -> Via<Self, Stamp>
    where
        Self: Source<Item = Event>,
    {
        self.via(Stamp::default())
    }

    /// Takes the event time of each record from the record, and adds the watermark: how far event time has come.
    ///
    /// Records may be out of order by up to `lateness`. One that is further behind is late. No record is dropped here: each
    /// operator that works by event time decides what is late for it.
    ///
    /// The watermark travels with the records. A record that is [filtered](Self::filter) out after `event_time` therefore moves no
    /// window: filter before it. The state is stored under the name `event_time`.
    ///
    /// [`EventTime`] documents how the watermark is computed. It has options for another name, for files that overlap in time, and
    /// for splits that fall silent.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ecom_stream::{SourceExt, Timestamp, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("seconds", vec![100, 130, 95])
    ///     .event_time(|second: &i64| Timestamp::from_micros(second * 1_000_000), Duration::from_secs(30))
    ///     .map(|timed| (timed.value, timed.is_late()))
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [(100, false), (130, false), (95, true)]);
    /// # Ok(()) }
    /// ```
    fn event_time<F, Time>(self, time: F, lateness: Duration) -> Via<Self, EventTime<F>>
    where
        F: Fn(&Self::Item) -> Time + Send,
        Time: Into<Timestamp>,
    {
        self.via(EventTime::new(time, lateness))
    }

    /// Joins each left record with every right record of the same key that happened at the same time or up to `within` later.
    ///
    /// Both kinds come in one stream of [`Either`], so that one watermark holds for both. To get there from two sources,
    /// [`map`](Self::map) each to its side and [`merge`](Self::merge) them; from one source, [`route`](Self::route) it. Do so before
    /// [`event_time`](Self::event_time).
    ///
    /// [`IntervalJoin`] has other intervals, and outer joins, which also emit records without a match.
    ///
    /// The view that led to a purchase, from one stream of events:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ecom_stream::{Either, Event, EventType, SourceExt, memory::{MemorySink, MemorySource}};
    /// # use ecom_stream::time::{OffsetDateTime, ext::NumericalDuration};
    /// # use ecom_stream::uuid::Uuid;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// use EventType::{Purchase, View};
    ///
    /// let event = |minute: i64, event_type, user: &str| {
    ///     let time = OffsetDateTime::UNIX_EPOCH + minute.minutes();
    ///     Event::new(Uuid::nil(), time, event_type, user, "session", "product")
    /// };
    /// let events = vec![event(0, View, "ann"), event(5, View, "bob"), event(10, Purchase, "ann"), event(90, Purchase, "bob")];
    ///
    /// let user_and_product = |event: &Event| (event.user_id.clone(), event.product_id.clone());
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("events", events)
    ///     .filter(|event| matches!(event.event_type, View | Purchase))
    ///     .route(|event| event.event_type == View)
    ///     .event_time(|event: &Either<Event, Event>| event.as_inner().event_time, Duration::from_mins(5))
    ///     .join_within(Duration::from_mins(30), user_and_product, user_and_product)
    ///     .map(|joined| joined.value.both())
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// // The state has whole events: each view for half an hour of event time, each purchase until the watermark passes it.
    /// assert_eq!(sink.values(), [Some((event(0, View, "ann"), event(10, Purchase, "ann")))]);
    /// # Ok(()) }
    /// ```
    fn join_within<L, R, K, KL, KR>(self, within: Duration, left: KL, right: KR) -> Via<Self, IntervalJoin<KL, KR>>
    where
        Self: Source<Item = Timed<Either<L, R>>>,
        L: Clone + Serialize + DeserializeOwned + Send + 'static,
        R: Clone + Serialize + DeserializeOwned + Send + 'static,
        K: Ord + Hash + Clone + Send + 'static,
        KL: Fn(&L) -> K + Send,
        KR: Fn(&R) -> K + Send,
    {
        let within = time::Duration::try_from(within).unwrap_or(time::Duration::MAX);
        self.via(IntervalJoin::new(left, right, time::Duration::ZERO, within))
    }

    /// Looks up the key of each record, in a table or a service, and pairs the record with the answer.
    ///
    /// Up to 16 keys are looked up concurrently. Answers are cached for one minute. Records keep their order. [`LookupJoin`] has
    /// settings for these limits.
    ///
    /// # Errors
    ///
    /// An error of `lookup` ends the run. If another try may succeed, `lookup` has to try again itself.
    ///
    /// ```
    /// # use ecom_stream::{SourceExt, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// async fn price(product: String) -> ecom_stream::Result<Option<u32>> {
    ///     // A real program would query a table here.
    ///     Ok((product == "book").then_some(500))
    /// }
    ///
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("products", vec!["book", "toy"])
    ///     .lookup_join(|product: &&str| product.to_string(), price)
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [("book", Some(500)), ("toy", None)]);
    /// # Ok(()) }
    /// ```
    fn lookup_join<K, V, KeyOf, F, Answer>(self, key: KeyOf, lookup: F) -> Via<Self, LookupJoin<KeyOf, F>>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
        KeyOf: Fn(&Self::Item) -> K + Send,
        F: Fn(K) -> Answer + Send + Sync,
        Answer: Future<Output = Result<Option<V>>> + Send,
    {
        self.via(LookupJoin::new(key, lookup))
    }

    /// Groups the records by a key. What follows is a method of [`KeyBy`]: windows, a state for each key, or the removal of
    /// duplicates.
    ///
    /// The source must have an event time, so [`event_time`](Self::event_time) comes before it. The key `|_| ()` puts all records into
    /// one group.
    ///
    /// What each category sold in each minute:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ecom_stream::aggregate::{Count, Sum};
    /// # use ecom_stream::{SourceExt, Timestamp, memory::{MemorySink, MemorySource}};
    /// struct Sale { second: i64, category: &'static str, cents: i64 }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sale = |second, category, cents| Sale { second, category, cents };
    /// let sales = vec![sale(3, "books", 500), sale(50, "toys", 900), sale(40, "books", 700), sale(95, "toys", 100)];
    ///
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("sales", sales)
    ///     .event_time(|sale: &Sale| Timestamp::from_micros(sale.second * 1_000_000), Duration::from_secs(30))
    ///     .key_by(|sale: &Sale| sale.category.to_owned())
    ///     .tumbling(Duration::from_mins(1))
    ///     .aggregate((Count, Sum::of(|sale: &Sale| sale.cents)))
    ///     .map(|result| (result.window.start.as_micros() / 1_000_000, result.key, result.value))
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// // The second minute is not over, and waits in the checkpoint for the next run.
    /// assert_eq!(sink.values(), [(0, "books".to_owned(), (2, 1_200)), (0, "toys".to_owned(), (1, 900))]);
    /// # Ok(()) }
    /// ```
    fn key_by<K, F>(self, key: F) -> KeyBy<Self, F>
    where
        Self::Item: HasEventTime,
        F: Fn(&<Self::Item as HasEventTime>::Value) -> K,
    {
        KeyBy::new(self, key)
    }

    /// The source as a [`BoxSource`], whose type tells only what it yields: so that a pipeline can be put together at run time,
    /// from options or from a file.
    ///
    /// ```
    /// # use ecom_stream::{SourceExt, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sink = MemorySink::new("doc");
    /// let mut source = MemorySource::new("numbers", vec![1, 2, 3, 4]).boxed();
    /// for step in ["even", "squared"] {
    ///     source = match step {
    ///         "even" => source.filter(|n: &i32| n % 2 == 0).boxed(),
    ///         _ => source.map(|n: i32| n * n).boxed(),
    ///     };
    /// }
    /// source.to(sink.clone()).run().await?;
    /// assert_eq!(sink.values(), [4, 16]);
    /// # Ok(()) }
    /// ```
    fn boxed(self) -> BoxSource<Self::Item>
    where
        Self: 'static,
    {
        BoxSource::new(self)
    }

    /// Reads two sources as one, like SQL's `UNION ALL`. Batches interleave as they come; each source keeps its own order.
    ///
    /// Merge before [`event_time`](Self::event_time), not after it, so that one watermark holds for both sources.
    ///
    /// ```
    /// # use ecom_stream::{SourceExt, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("a", vec![1]).merge(MemorySource::new("b", vec![2])).to(sink.clone()).run().await?;
    /// let mut values = sink.values();
    /// values.sort();
    /// assert_eq!(values, [1, 2]);
    /// # Ok(()) }
    /// ```
    fn merge<S: Source<Item = Self::Item>>(self, other: S) -> Merge<Self, S> {
        Merge::new(self, other)
    }

    /// Connects the source to a sink. The result is a [`Pipeline`], which can be run.
    ///
    /// A run fails at its start if two sources or two operators of the pipeline have the same name.
    ///
    /// ```
    /// # use ecom_stream::{SourceExt, memory::{MemorySink, MemorySource}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let sink = MemorySink::new("doc");
    /// let summary = MemorySource::new("numbers", vec![1, 2, 3]).to(sink.clone()).run().await?;
    /// assert_eq!(summary.counts.stored, 3);
    /// # Ok(()) }
    /// ```
    fn to<K: Sink<Self::Item>>(self, sink: K) -> Pipeline<Self, K> {
        Pipeline::new(self, sink)
    }
}

impl<S: Source> SourceExt for S {}
