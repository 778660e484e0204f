//! The checks of sources.

mod ack;
pub(super) mod batches;
mod bounded;
pub(super) mod resume;

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Display};

use ack::check_ack;
use bounded::{check_bounded, raw_bytes};
use resume::RunReader;

use super::law::Law;
use crate::contract::{Position, Source, Split, Topology};

type Outside = Box<dyn Fn() -> String>;
type ActedOn = Box<dyn Fn(&Position) -> bool>;

/// Makes the checks of a source; [`check`](SourceCheck::check) runs them.
///
/// `make` returns a new source over the same data each time, as a restart does. A source with transforms behind it can be
/// checked too, if they make at most one record of each.
///
/// ```
/// use ecom_stream::memory::MemorySource;
/// use ecom_stream::{SourceExt, testing};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// testing::source(|| MemorySource::new("numbers", (0..20).collect()).max_batch_rows(3)).check().await;
/// testing::source(|| MemorySource::new("numbers", (0..20).collect()).filter(|n| n % 3 > 0)).check().await;
/// # }
/// ```
pub fn source<S: Source, F: Fn() -> S>(make: F) -> SourceCheck<F> {
    SourceCheck {
        make,
        until_idle: false,
        most_cuts: 40,
        seed: rand::random(),
        outside: None,
        acted_on: None,
    }
}

/// The checks of a source; see [`source()`].
#[must_use = "nothing is checked until `check` is awaited"]
pub struct SourceCheck<F> {
    make: F,
    until_idle: bool,
    most_cuts: usize,
    seed: u64,
    outside: Option<Outside>,
    acted_on: Option<ActedOn>,
}

impl<F> Debug for SourceCheck<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceCheck")
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl<F> SourceCheck<F> {
    /// Ends each run at the first empty batch, for a source that never ends.
    ///
    /// ```
    /// use ecom_stream::{Columns, CsvDirSource, testing};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// std::fs::write(dir.path().join("a.csv"), "id,note\n1,x\n2,y\n")?;
    /// // This source waits for files for ever, and sends an empty batch each second.
    /// let endless = || CsvDirSource::new(dir.path()).columns(Columns::any()).settle_for(std::time::Duration::ZERO);
    /// testing::source(endless).until_idle().most_cuts(1).check().await;
    /// # Ok(()) }
    /// ```
    pub fn until_idle(mut self) -> Self {
        self.until_idle = true;
        self
    }

    /// Sets after how many different batches a run is cut. The default is 40. If there are fewer batches, a run is cut after each.
    pub fn most_cuts(mut self, cuts: usize) -> Self {
        self.most_cuts = cuts;
        self
    }

    /// Sets the seed, to repeat a failure whose message shows it. The default is random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Gives a view of the source's data from outside, such as a list of the files in its directory. It must not change when the
    /// source is checked, read and dropped.
    ///
    /// ```
    /// use ecom_stream::{Columns, CsvDirSource, testing};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().to_owned();
    /// std::fs::write(dir.path().join("a.csv"), "id,note\n1,x\n2,y\n")?;
    /// let source = || CsvDirSource::new(dir.path()).columns(Columns::any()).available_now(true);
    /// let listing = move || std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    /// testing::source(source).outside(listing).check().await;
    /// # Ok(()) }
    /// ```
    pub fn outside<O: Debug>(mut self, look: impl Fn() -> O + 'static) -> Self {
        self.outside = Some(Box::new(move || format!("{:?}", look())));
        self
    }

    /// Tells whether the source has acted on the commit of a position, for example whether it has archived the file. It must act
    /// after that commit, and not before. `make` has to undo it.
    pub fn acted_on(mut self, was: impl Fn(&Position) -> bool + 'static) -> Self {
        self.acted_on = Some(Box::new(was));
        self
    }
}

impl<S, F> SourceCheck<F>
where
    S: Source + 'static,
    S::Item: PartialEq + Debug,
    F: Fn() -> S,
{
    /// Runs all checks.
    ///
    /// # Panics
    ///
    /// When the source breaks a law; the message names it.
    pub async fn check(self) {
        let topology = self.check_names();
        let before = self.outside.as_ref().map(|look| look());
        let untouched = |at: &dyn Display| {
            let (now, before) = (self.outside.as_ref().map(|look| look()), &before);
            Law::UNTOUCHED.holds(now == *before, at, || format!("{now:?} where there was {before:?}"));
        };
        let checked = (self.make)().check();
        Law::READS.holds(checked.is_ok(), &"check", || format!("{checked:?}"));
        untouched(&"after check");

        let reading = RunReader {
            make: &self.make,
            until_idle: self.until_idle,
            one_to_one: true,
            split_by_split: true,
            law: Law::RESUME,
        };
        let of = format!("a run of {:?}", topology.sources());
        let batches = reading.whole(&of).await;
        untouched(&"after reading without a commit");
        let ends = batches.iter().flat_map(|batch| &batch.positions);
        let ends: BTreeMap<Split, Position> = ends.map(|end| (end.split.clone(), end.clone())).collect();
        let largest_bytes = batches.iter().map(raw_bytes).max().unwrap_or_default();
        check_bounded((self.make)(), largest_bytes, &of).await;

        reading.check_cuts(batches, self.most_cuts, self.seed, &of).await;
        if let Some(acted_on) = &self.acted_on {
            let ends: Vec<Position> = ends.into_values().collect();
            check_ack((self.make)(), self.until_idle, &ends, acted_on).await;
        }
    }

    fn check_names(&self) -> Topology {
        let describe = || {
            let mut topology = Topology::default();
            (self.make)().describe(&mut topology);
            topology
        };
        let (first, second) = (describe(), describe());
        let at = "describe";
        Law::NAMES.holds(first == second, &at, || format!("{first:?}, and then {second:?}"));
        Law::NAMES.holds(!first.sources().is_empty(), &at, || "no source".into());
        if let Err(err) = first.check() {
            Law::NAMES.broken(&at, err.report());
        }
        first
    }
}
