//! Checks of sinks.

mod bounded;
mod trial;

use std::fmt::{self, Debug};

use bounded::check_bounded;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use trial::Trial;

use super::law::Law;
use super::polls::{counting_polls, for_polls};
use super::script::{Batching, Script};
use super::store::Store;

/// The checks of a sink; `new_store` gives an empty [`Store`] each time it is called, `values` are written to it: a dozen or
/// more, no two the same, of which the sink refuses none.
///
/// ```
/// use ecom_stream::memory::MemorySink;
/// use ecom_stream::testing;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// testing::sink(async || MemorySink::new("test"), 0..30).check().await;
/// # }
/// ```
pub fn sink<St: Store, F: AsyncFn() -> St>(
    new_store: F,
    values: impl IntoIterator<Item = St::Item>,
) -> SinkCheck<St::Item, F> {
    SinkCheck {
        new_store,
        values: values.into_iter().collect(),
        remembers: true,
        has_identity: false,
        max_rows_in_flight: 100_000,
        crashes: 40,
        seed: rand::random(),
    }
}

/// The checks of a sink; see [`sink()`].
#[must_use = "nothing is checked until `check` is awaited"]
pub struct SinkCheck<T, F> {
    new_store: F,
    values: Vec<T>,
    remembers: bool,
    has_identity: bool,
    max_rows_in_flight: u64,
    crashes: u64,
    seed: u64,
}

impl<T, F> Debug for SinkCheck<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkCheck")
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl<T, F> SinkCheck<T, F> {
    /// The sink remembers nothing between runs. Then it can't be expected to store everything once: after a crash there
    /// must be a prefix of the records, with all that was committed.
    pub fn remembers_nothing(mut self) -> Self {
        self.remembers = false;
        self
    }

    /// The sink knows what it has already by the records' identity: sent again by another source, they are counted as
    /// duplicates.
    pub fn has_identity(mut self) -> Self {
        self.has_identity = true;
        self
    }

    /// How many rows may be pulled while nobody takes the commits, or the store is stalled; 100,000.
    pub fn max_rows_in_flight(mut self, rows: u64) -> Self {
        self.max_rows_in_flight = rows;
        self
    }

    /// How many stores are crashed on, 40.
    pub fn crashes(mut self, crashes: u64) -> Self {
        self.crashes = crashes;
        self
    }

    /// The seed of a failure, to repeat it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl<St, F> SinkCheck<St::Item, F>
where
    St: Store,
    F: AsyncFn() -> St,
{
    /// Runs all checks.
    ///
    /// # Panics
    ///
    /// When the sink breaks a law; the message names it.
    pub async fn check(self) {
        let script = Script::new(self.values.iter().cloned());
        let polls = self.check_uncut(&script).await;
        self.check_error(script.clone()).await;
        for crash in 0..self.crashes {
            self.check_crash(script.clone(), polls, self.seed.wrapping_add(crash))
                .await;
        }
        let store = (self.new_store)().await;
        check_bounded(&store, self.values, self.max_rows_in_flight, &"an input without an end").await;
    }

    /// Runs to the end, again, and with everything from another source. Gives how many polls the first run takes.
    async fn check_uncut(&self, script: &Script<St::Item>) -> usize {
        let mut polls = 0;
        for batching in [Batching::Of(2), Batching::All, Batching::WithEmptyOnes(3)] {
            let script = script.clone().batching(batching);
            let store = (self.new_store)().await;
            let mut trial = Trial::new(&store, &script, self.remembers);
            let (outcome, took) = counting_polls(trial.run(usize::MAX, &batching)).await;
            Law::WORKS.holds(outcome.is_ok(), &batching, || format!("{outcome:?}"));
            polls = polls.max(took);
            if self.remembers {
                let at = format!("{batching}, run again with nothing left");
                let outcome = trial.run(usize::MAX, &at).await;
                Law::WORKS.holds(outcome.is_ok(), &at, || format!("{outcome:?}"));
            }
            trial.look_again(&format!("{batching}, after the end")).await;
            if self.has_identity {
                trial
                    .send_again(&format!("{batching}, sent again by another source"))
                    .await;
            }
        }
        polls
    }

    /// An error of the input comes out, behind a prefix.
    async fn check_error(&self, script: Script<St::Item>) {
        let at = "an input that fails after three batches";
        let script = script.batching(Batching::Of(3)).failing_after(3);
        let store = (self.new_store)().await;
        let mut trial = Trial::new(&store, &script, self.remembers);
        let expected = Script::<St::Item>::failure();
        match trial.run_to_error(&at).await {
            Some(err) => {
                let same = (err.kind(), err.to_string()) == (expected.kind(), expected.to_string());
                Law::ERROR.holds(same, &at, || format!("{err} where the input failed with {expected}"));
            }
            None => Law::ERROR.broken(&at, "the commits ended as if the input had"),
        }
        trial.look_again(&at).await;
    }

    /// Crashes again and again on one store, then runs to the end.
    async fn check_crash(&self, script: Script<St::Item>, polls: usize, seed: u64) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let script = script.batching(Batching::Random(rng.random()));
        let store = (self.new_store)().await;
        let mut trial = Trial::new(&store, &script, self.remembers);
        // One that remembers nothing writes everything again: that is judged once.
        let crashes = if self.remembers { rng.random_range(1..=4) } else { 1 };
        for crash in 1..=crashes {
            let at = format!("crash {crash} (seed {seed})");
            let cut_by_polls: bool = rng.random();
            let outcome = match cut_by_polls {
                true => for_polls(trial.run(usize::MAX, &at), rng.random_range(0..=polls)).await,
                false => Some(trial.run(rng.random_range(0..=script.len() / 8), &at).await),
            };
            Law::WORKS.holds(!matches!(outcome, Some(Err(_))), &at, || format!("{outcome:?}"));
            store.crash().await;
        }
        let at = format!("after {crashes} crashes (seed {seed})");
        let outcome = trial.run(usize::MAX, &at).await;
        Law::WORKS.holds(outcome.is_ok(), &at, || format!("{outcome:?}"));
        trial.look_again(&at).await;
    }
}
