//! The checks of sinks.

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

/// Makes the checks of a sink; [`check`](SinkCheck::check) runs them.
///
/// `new_store` returns an empty [`Store`] each time. `values` are written to it: give a dozen or more, all different, and none
/// that the sink rejects.
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
    /// Declares that the sink keeps no ledger. Then a record may be stored twice: after a crash the store must have a prefix of
    /// the records, with everything that was committed.
    ///
    /// A test of [`CsvDirSink`](crate::CsvDirSink) needs this: it writes files, and what it committed is known only while it runs.
    pub fn remembers_nothing(mut self) -> Self {
        self.remembers = false;
        self
    }

    /// Declares that the sink recognizes stored records by their identity. Then records that another source sends again must be
    /// counted as duplicates.
    ///
    /// The records must have an identity of their own then, such as [`Event::event_id`](crate::Event), which does not depend on the
    /// source.
    pub fn has_identity(mut self) -> Self {
        self.has_identity = true;
        self
    }

    /// Sets how many rows the sink may pull while nobody takes the commits, or while the store is stalled. The default is
    /// 100,000.
    pub fn max_rows_in_flight(mut self, rows: u64) -> Self {
        self.max_rows_in_flight = rows;
        self
    }

    /// Sets on how many stores sinks are crashed. The default is 40.
    ///
    /// ```
    /// use ecom_stream::memory::MemorySink;
    /// use ecom_stream::testing;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// // More crashes find rarer faults; the seed of a failure repeats it.
    /// testing::sink(async || MemorySink::new("test"), 0..30).crashes(100).seed(7).check().await;
    /// # }
    /// ```
    pub fn crashes(mut self, crashes: u64) -> Self {
        self.crashes = crashes;
        self
    }

    /// Sets the seed, to repeat a failure whose message shows it. The default is random.
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

    /// Runs to the end, then again with nothing left, then with the same records from another source. Returns the number of polls
    /// of the longest run.
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
            trial.verify_after_restart(&format!("{batching}, after the end")).await;
            if self.has_identity {
                trial
                    .send_again(&format!("{batching}, sent again by another source"))
                    .await;
            }
        }
        polls
    }

    /// Checks that an error of the input is passed on, after a prefix was committed.
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
        trial.verify_after_restart(&at).await;
    }

    /// Crashes several runs on one store, then runs to the end.
    async fn check_crash(&self, script: Script<St::Item>, polls: usize, seed: u64) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let script = script.batching(Batching::Random(rng.random()));
        let store = (self.new_store)().await;
        let mut trial = Trial::new(&store, &script, self.remembers);
        // Without a ledger each run writes everything again, so one crash tells as much as many.
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
        trial.verify_after_restart(&at).await;
    }
}
