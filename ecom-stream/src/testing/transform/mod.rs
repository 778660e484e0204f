//! The checks of transforms.

mod batching;
mod passing;

use std::fmt::{self, Debug, Display};

use batching::{check_kept, check_whole_batches};
use passing::{check_bounded, check_empty_batches, check_error};

use super::law::Law;
use super::run_output::RunOutput;
use super::script::{Batching, OPERATOR, Script};
use super::source::resume::RunReader;
use crate::contract::{Topology, Transform};
use crate::operators::SourceExt;

/// Makes the checks of a transform; [`check`](TransformCheck::check) runs them.
///
/// `make` returns a new transform each time, and `values` go through it: give a dozen or more. The output of the transform must
/// depend on its input only, not on a clock.
///
/// ```
/// use ecom_stream::operators::Stamp;
/// use ecom_stream::{Event, EventType, testing};
/// use time::OffsetDateTime;
/// use uuid::Uuid;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let noon = OffsetDateTime::UNIX_EPOCH;
/// let event = |n| Event::new(Uuid::from_u128(n), noon, EventType::View, "user", "session", "product");
/// testing::transform(|| Stamp::new(move || noon), (0..20).map(event)).check().await;
/// # }
/// ```
pub fn transform<In, T, F>(make: F, values: impl IntoIterator<Item = In>) -> TransformCheck<In, F>
where
    In: Send + 'static,
    T: Transform<In>,
    F: Fn() -> T,
{
    TransformCheck {
        make,
        values: values.into_iter().collect(),
        one_to_one: true,
        max_rows_in_flight: 100_000,
        seed: rand::random(),
    }
}

/// The checks of a transform; see [`transform()`].
#[must_use = "nothing is checked until `check` is awaited"]
pub struct TransformCheck<In, F> {
    make: F,
    values: Vec<In>,
    one_to_one: bool,
    max_rows_in_flight: u64,
    seed: u64,
}

impl<In, F> Debug for TransformCheck<In, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransformCheck")
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl<In, F> TransformCheck<In, F> {
    /// Declares that the transform makes one record of several, or several of one, so that the counts need not balance.
    ///
    /// ```
    /// use ecom_stream::operators::FlatMap;
    /// use ecom_stream::testing;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let twice = || FlatMap::new(|n: i64| [n, -n]);
    /// testing::transform(twice, 0..20).not_one_to_one().check().await;
    /// # }
    /// ```
    pub fn not_one_to_one(mut self) -> Self {
        self.one_to_one = false;
        self
    }

    /// Sets how many rows a transform may pull ahead of the output that is taken, for one that works in its own tasks. The
    /// default is 100,000.
    pub fn max_rows_in_flight(mut self, rows: u64) -> Self {
        self.max_rows_in_flight = rows;
        self
    }

    /// Sets the seed, to repeat a failure whose message shows it. The default is random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl<In, T, F> TransformCheck<In, F>
where
    In: Clone + Send + Sync + 'static,
    T: Transform<In>,
    T::Out: PartialEq + Debug,
    F: Fn() -> T,
{
    /// Runs all checks.
    ///
    /// # Panics
    ///
    /// When the transform breaks a law; the message names it.
    pub async fn check(self) {
        let operators = self.check_names();
        let script = Script::new(self.values.iter().cloned());
        let whole = self.seen_of(&script, &operators).await;
        for batching in [
            Batching::Of(1),
            Batching::Of(2),
            Batching::Of(7),
            Batching::WithEmptyOnes(3),
            Batching::Random(self.seed),
        ] {
            let script = script.clone().batching(batching);
            let seen = self.seen_of(&script, &operators).await;
            if let Some(difference) = seen.difference(&whole) {
                Law::BATCHING.broken(&batching, format!("against one batch of all, {difference}"));
            }
        }

        for batching in [Batching::Of(1), Batching::WithEmptyOnes(2), Batching::Random(self.seed)] {
            let script = script.clone().batching(batching);
            let make = || script.clone().via((self.make)());
            let reading = self.reading(&make);
            let whole = reading.whole(&batching).await;
            reading.check_cuts(whole, usize::MAX, self.seed, &batching).await;
        }
        check_error(script.clone(), (self.make)(), &"an input that fails").await;
        check_empty_batches(script, (self.make)(), &"an input that idles").await;
        let in_flight = self.max_rows_in_flight;
        check_bounded(self.values, (self.make)(), in_flight, &"an input without an end").await;
    }

    fn reading<'a, G>(&self, make: &'a G) -> RunReader<'a, G> {
        RunReader {
            make,
            until_idle: false,
            one_to_one: self.one_to_one,
            split_by_split: false,
            law: Law::CUT,
        }
    }

    /// Reads all of the script through the transform.
    async fn seen_of(&self, script: &Script<In>, operators: &[String]) -> RunOutput<T::Out> {
        let at: &dyn Display = &script.how();
        let make = || script.clone().via((self.make)());
        let batches = self.reading(&make).whole(at).await;
        for change in batches.iter().flat_map(|batch| &batch.state) {
            let is_known = *change.operator == *OPERATOR || operators.iter().any(|name| **name == *change.operator);
            Law::STATE_NAME.holds(is_known, at, || {
                format!("{:?}, where the operators described are {operators:?}", change.operator)
            });
        }
        check_whole_batches(&batches, script, at);
        let seen = batches.into_iter().collect();
        check_kept(&seen, script, self.one_to_one, at);
        seen
    }

    fn check_names(&self) -> Vec<String> {
        let describe = || {
            let mut topology = Topology::default();
            (self.make)().describe(&mut topology);
            topology
        };
        let (first, second) = (describe(), describe());
        let at = "describe";
        Law::NAMES.holds(first == second, &at, || format!("{first:?}, and then {second:?}"));
        if let Err(err) = first.check() {
            Law::NAMES.broken(&at, err.report());
        }
        first.operators().to_vec()
    }
}
