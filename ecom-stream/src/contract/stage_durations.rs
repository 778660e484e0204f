//! How long the stages of a run or of an epoch took.

use std::fmt;
use std::time::Duration;

/// How long each stage of a run or of an epoch took, in the order in which the stages come.
///
/// The runner measures the three stages of the task that reads; together they are the time of that task. A sink has its own
/// stages. Reading and writing overlap, so the sum of all stages may be longer than the run.
///
/// ```
/// use std::time::Duration;
/// use ecom_stream::StageDurations;
///
/// let mut stages = StageDurations::default();
/// stages.add(StageDurations::INPUT, Duration::from_millis(300));
/// stages.add(StageDurations::INPUT, Duration::from_millis(200));
/// stages.add("copy", Duration::from_secs(1));
/// assert_eq!(stages.get("input"), Duration::from_millis(500));
/// assert_eq!(stages.sum(), Duration::from_millis(1_500));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StageDurations(Vec<(&'static str, Duration)>);

impl StageDurations {
    /// Waiting for the source: for new input, or for the disk.
    pub const INPUT: &'static str = "input";
    /// The work of the source and of the operators.
    pub const READ: &'static str = "read";
    /// Waiting for room in the queue: the sink is slower than the source.
    pub const BACKPRESSURE: &'static str = "backpressure";

    /// Adds `time` to `stage`. A stage that is new comes last.
    pub fn add(&mut self, stage: &'static str, time: Duration) {
        match self.0.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, sum)) => *sum += time,
            None => self.0.push((stage, time)),
        }
    }

    /// How long a stage took; zero if it never ran.
    pub fn get(&self, stage: &str) -> Duration {
        let of_stage = self.iter().find(|(name, _)| *name == stage);
        of_stage.map(|(_, time)| time).unwrap_or_default()
    }

    /// The stages with their times.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        self.0.iter().copied()
    }

    /// The time of all stages.
    pub fn sum(&self) -> Duration {
        self.iter().map(|(_, time)| time).sum()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (stage, time) in other.iter() {
            self.add(stage, time);
        }
    }
}

impl fmt::Debug for StageDurations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
