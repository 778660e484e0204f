//! The checks of a whole pipeline.

use std::fmt::{self, Debug};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::law::Law;
use super::polls::{counting_polls, for_polls};
use super::run_output::difference_in_any_order;
use super::store::Store;
use crate::contract::Source;
use crate::operators::SourceExt;

/// Makes the checks of a pipeline; [`check`](PipelineCheck::check) runs them.
///
/// `make` returns the source with the transforms behind it, and `new_store` an empty [`Store`] for the sink. The pipeline is
/// run to its end once. Then it is dropped at a random point and run again, several times, until it ends. The store must have
/// the same contents each time.
///
/// The result of the transforms must not depend on a clock. If the source moves its data after a commit, `new_store` has to
/// put them back.
///
/// ```
/// use ecom_stream::memory::{MemorySink, MemorySource};
/// use ecom_stream::{SourceExt, testing};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let squares = || MemorySource::new("numbers", (0..50).collect()).max_batch_rows(3).map(|n: i64| n * n);
/// testing::pipeline(squares, async || MemorySink::new("test")).check().await;
/// # }
/// ```
pub fn pipeline<S, St, F, G>(make: F, new_store: G) -> PipelineCheck<F, G>
where
    S: Source<Item = St::Item>,
    St: Store,
    F: Fn() -> S,
    G: AsyncFn() -> St,
{
    PipelineCheck {
        make,
        new_store,
        one_to_one: true,
        rounds: 20,
        seed: rand::random(),
    }
}

/// The checks of a pipeline; see [`pipeline()`].
#[must_use = "nothing is checked until `check` is awaited"]
pub struct PipelineCheck<F, G> {
    make: F,
    new_store: G,
    one_to_one: bool,
    rounds: u64,
    seed: u64,
}

impl<F, G> Debug for PipelineCheck<F, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineCheck")
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl<F, G> PipelineCheck<F, G> {
    /// Declares that a transform makes one record of several, or several of one, so that the counts need not balance.
    pub fn not_one_to_one(mut self) -> Self {
        self.one_to_one = false;
        self
    }

    /// Sets how many stores are filled by pipelines that are cut. The default is 20.
    ///
    /// ```
    /// use ecom_stream::memory::{MemorySink, MemorySource};
    /// use ecom_stream::testing;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let numbers = || MemorySource::new("numbers", (0..50).collect::<Vec<i32>>()).max_batch_rows(3);
    /// testing::pipeline(numbers, async || MemorySink::new("test")).rounds(100).check().await;
    /// # }
    /// ```
    pub fn rounds(mut self, rounds: u64) -> Self {
        self.rounds = rounds;
        self
    }

    /// Sets the seed, to repeat a failure whose message shows it. The default is random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl<S, St, F, G> PipelineCheck<F, G>
where
    S: Source<Item = St::Item> + 'static,
    St: Store,
    F: Fn() -> S,
    G: AsyncFn() -> St,
{
    /// Runs all checks.
    ///
    /// # Panics
    ///
    /// When the pipeline breaks a law; the message names it.
    pub async fn check(self) {
        const CUTS_IN_A_ROUND: u32 = 6;
        let at = "a run without a cut";
        let store = (self.new_store)().await;
        let (outcome, polls) = counting_polls((self.make)().to(store.sink()).run()).await;
        let summary = outcome.unwrap_or_else(|err| Law::WORKS.broken(&at, err.report()));
        let balanced = summary.counts.is_balanced() || !self.one_to_one;
        Law::BALANCE.holds(balanced, &at, || format!("{:?}", summary.counts));
        let (contents, rejects) = (store.contents().await, store.rejects().await);

        for round in 0..self.rounds {
            let seed = self.seed.wrapping_add(round);
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            let store = (self.new_store)().await;
            let mut cuts = 0;
            loop {
                let most = if cuts < CUTS_IN_A_ROUND {
                    rng.random_range(0..=polls)
                } else {
                    usize::MAX
                };
                match for_polls((self.make)().to(store.sink()).run(), most).await {
                    Some(Ok(_)) => break,
                    Some(Err(err)) => Law::WORKS.broken(&format!("after {cuts} cuts (seed {seed})"), err.report()),
                    None => {}
                }
                cuts += 1;
                store.crash().await;
            }
            let at = format!("after {cuts} cuts (seed {seed})");
            let now = store.contents().await;
            if let Some(difference) = difference_in_any_order("records", &now, contents.iter().cloned()) {
                Law::SAME.broken(&at, difference);
            }
            let now = store.rejects().await;
            Law::SAME.holds(now == rejects, &at, || {
                format!("{now:?} rejects where there were {rejects:?}")
            });
        }
    }
}
