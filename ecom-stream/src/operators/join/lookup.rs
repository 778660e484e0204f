//! [`LookupJoin`]: joins each record with the answer of a lookup, such as a query.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use async_stream::try_stream;
use futures::stream;
use futures::{StreamExt, TryStreamExt};
use tokio::time::Instant;

use crate::contract::{BatchStream, Checkpoint, Result, Transform};

/// Pairs each record with what a table or a service has under its key; see
/// [`SourceExt::lookup_join`](crate::SourceExt::lookup_join).
///
/// For each batch, the keys that are not in the cache are looked up, each once and several concurrently. Records keep their
/// order. Answers are cached for a time to live, by the clock of the machine, also the answer that there is nothing under a key. When
/// the cache is full the oldest answers are dropped.
///
/// If the table changes, an answer depends on when it was asked for. A batch that is repeated after a crash may therefore get
/// other answers. Each record is still stored once.
///
/// # Errors
///
/// An error of the lookup ends the run. If another try may succeed, the lookup has to try again itself.
///
/// # Cancel safety
///
/// A run that is dropped drops its pending lookups. So a lookup must not change anything.
#[derive(Debug, Clone)]
pub struct LookupJoin<K, F> {
    key: K,
    lookup: F,
    at_once: usize,
    time_to_live: Duration,
    max_cached: usize,
}

impl<K, F> LookupJoin<K, F> {
    /// Looks up the `key` of each record with `lookup`: up to 16 keys concurrently, with up to 100,000 answers cached, each for
    /// one minute.
    ///
    /// ```
    /// use ecom_stream::memory::{MemorySink, MemorySource};
    /// use ecom_stream::operators::LookupJoin;
    /// use ecom_stream::SourceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let name = |id: i64| async move { Ok((id > 1).then(|| format!("product {id}"))) };
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("ids", vec![1, 2])
    ///     .via(LookupJoin::new(|id: &i64| *id, name).at_once(4).max_cached(1_000))
    ///     .to(sink.clone())
    ///     .run()
    ///     .await?;
    /// assert_eq!(sink.values(), [(1, None), (2, Some("product 2".to_owned()))]);
    /// # Ok(()) }
    /// ```
    pub fn new(key: K, lookup: F) -> Self {
        Self {
            key,
            lookup,
            at_once: 16,
            time_to_live: Duration::from_mins(1),
            max_cached: 100_000,
        }
    }

    /// Sets how many keys are looked up concurrently. 16 unless it is set; 0 is taken as 1.
    #[must_use]
    pub fn at_once(mut self, lookups: usize) -> Self {
        self.at_once = lookups.max(1);
        self
    }

    /// Sets how long an answer is cached, by the clock of the machine. One minute unless it is set. With zero, each batch asks again.
    #[must_use]
    pub fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.time_to_live = time_to_live;
        self
    }

    /// Sets how many answers are cached from one batch to the next. 100,000 unless it is set. Memory also holds the answers of
    /// the current batch.
    #[must_use]
    pub fn max_cached(mut self, answers: usize) -> Self {
        self.max_cached = answers;
        self
    }
}

impl<In, K, V, KeyOf, F, Answer> Transform<In> for LookupJoin<KeyOf, F>
where
    In: Send + 'static,
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    KeyOf: Fn(&In) -> K + Send,
    F: Fn(K) -> Answer + Send + Sync,
    Answer: Future<Output = Result<Option<V>>> + Send,
{
    type Out = (In, Option<V>);

    fn apply(self, input: impl BatchStream<In> + 'static, _: Checkpoint) -> impl BatchStream<(In, Option<V>)> {
        let mut cache = Cache {
            answers: HashMap::new(),
            by_age: VecDeque::new(),
            time_to_live: self.time_to_live,
        };
        try_stream! {
            let mut input = std::pin::pin!(input);
            while let Some(batch) = input.next().await {
                let batch = batch?;
                cache.expire(Instant::now());
                let mut keys: VecDeque<K> = batch.records.iter().map(|record| (self.key)(&record.value)).collect();
                let asked: Vec<K> = cache.missing(&keys);
                {
                    let lookup = |key: K| {
                        let answer = (self.lookup)(key.clone());
                        async move { Ok::<_, crate::contract::Error>((key, answer.await?)) }
                    };
                    let mut answers = stream::iter(asked).map(lookup).buffer_unordered(self.at_once);
                    while let Some((key, answer)) = answers.try_next().await? {
                        cache.insert(key, answer, Instant::now());
                    }
                }
                let batch = batch.try_filter_map(|value, _| {
                    let answer = keys.pop_front().and_then(|key| cache.get(&key));
                    Ok(Some((value, answer)))
                });
                cache.evict_to(self.max_cached);
                yield batch;
            }
        }
    }
}

/// The cached answers, and their keys from the oldest answer to the newest. `None` is the answer that there is nothing.
struct Cache<K, V> {
    answers: HashMap<K, Option<V>>,
    by_age: VecDeque<(Instant, K)>,
    time_to_live: Duration,
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// The answer for a key, which is in the cache while its batch is processed.
    fn get(&self, key: &K) -> Option<V> {
        self.answers.get(key).cloned().flatten()
    }

    /// The keys that have no answer in the cache, each once.
    fn missing(&self, keys: &VecDeque<K>) -> Vec<K> {
        let mut seen = std::collections::HashSet::new();
        let missing = keys
            .iter()
            .filter(|key| !self.answers.contains_key(key) && seen.insert(*key));
        missing.cloned().collect()
    }

    fn insert(&mut self, key: K, answer: Option<V>, now: Instant) {
        self.by_age.push_back((now, key.clone()));
        self.answers.insert(key, answer);
    }

    /// Drops the answers whose time to live is over.
    fn expire(&mut self, now: Instant) {
        while let Some((since, key)) = self.by_age.front() {
            if now.duration_since(*since) < self.time_to_live {
                break;
            }
            self.answers.remove(key);
            self.by_age.pop_front();
        }
    }

    /// Drops the oldest answers until there are no more than `most`.
    fn evict_to(&mut self, most: usize) {
        while self.by_age.len() > most {
            if let Some((_, key)) = self.by_age.pop_front() {
                self.answers.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::connectors::memory::{MemorySink, MemorySource};
    use crate::contract::{Error, ErrorKind};
    use crate::operators::source_ext::SourceExt;

    /// How many lookups there were: in all, at this moment, and at most at the same time.
    #[derive(Default)]
    struct Asked {
        all: AtomicUsize,
        now: AtomicUsize,
        most: AtomicUsize,
    }

    async fn ask(asked: Arc<Asked>, key: i64) -> Result<Option<String>> {
        asked.all.fetch_add(1, Ordering::SeqCst);
        let now = asked.now.fetch_add(1, Ordering::SeqCst) + 1;
        asked.most.fetch_max(now, Ordering::SeqCst);
        // The later ones answer first.
        tokio::time::sleep(Duration::from_millis(100 - key as u64)).await;
        asked.now.fetch_sub(1, Ordering::SeqCst);
        Ok((key % 10 != 3).then(|| format!("name {key}")))
    }

    async fn run(
        values: Vec<i64>,
        rows: usize,
        join: impl Fn(Join) -> Join,
    ) -> (Vec<(i64, Option<String>)>, Arc<Asked>) {
        let asked = Arc::<Asked>::default();
        let asking = asked.clone();
        let lookup: Lookup = Box::new(move |key| Box::pin(ask(asking.clone(), key)));
        let key: fn(&i64) -> i64 = |n| n % 20;
        let sink = MemorySink::new("test");
        let source = MemorySource::new("numbers", values).max_batch_rows(rows);
        let join = join(LookupJoin::new(key, lookup));
        source.via(join).to(sink.clone()).run().await.unwrap();
        (sink.values(), asked)
    }

    type Answer = futures::future::BoxFuture<'static, Result<Option<String>>>;
    type Lookup = Box<dyn Fn(i64) -> Answer + Send + Sync>;
    type Join = LookupJoin<fn(&i64) -> i64, Lookup>;

    #[tokio::test(start_paused = true)]
    async fn each_key_is_looked_up_once_and_records_keep_their_order() {
        let values: Vec<i64> = (0..100).collect();
        let (seen, asked) = run(values.clone(), 7, |join| join.at_once(3)).await;
        let expected = |n: i64| (n, (n % 10 != 3).then(|| format!("name {}", n % 20)));
        assert_eq!(seen, values.into_iter().map(expected).collect::<Vec<_>>());
        assert_eq!(asked.all.load(Ordering::SeqCst), 20);
        assert_eq!(asked.most.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn expired_answers_are_looked_up_again() {
        let (_, asked) = run(vec![1; 10], 1, |join| join.time_to_live(Duration::ZERO)).await;
        assert_eq!(asked.all.load(Ordering::SeqCst), 10);
        // A lookup of the other key takes longer than the answer is kept.
        let (_, asked) = run(vec![1, 2, 1, 2], 1, |join| join.time_to_live(Duration::from_millis(50))).await;
        assert_eq!(asked.all.load(Ordering::SeqCst), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_answers_are_dropped_from_a_full_cache() {
        let (_, asked) = run(vec![1, 2, 3, 2, 3, 1], 1, |join| join.max_cached(2)).await;
        assert_eq!(asked.all.load(Ordering::SeqCst), 4);
        let (seen, asked) = run(vec![1, 2, 1, 2], 4, |join| join.max_cached(0)).await;
        assert_eq!(asked.all.load(Ordering::SeqCst), 2);
        assert!(seen.iter().all(|(_, name)| name.is_some()));
    }

    #[tokio::test]
    async fn an_error_of_the_lookup_ends_the_pipeline() {
        let lookup = |_: i64| async { Err::<Option<()>, _>(Error::new(ErrorKind::Unavailable, "the table is gone")) };
        let source = MemorySource::new("numbers", vec![1]);
        let err = source
            .lookup_join(|n: &i64| *n, lookup)
            .to(MemorySink::new("test"))
            .run()
            .await
            .unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Unavailable);
    }
}
