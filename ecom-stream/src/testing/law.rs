//! The laws of the contract, with the text that a failure shows.

use std::fmt::Display;

/// A law of the contract. A check calls [`holds`](Self::holds) with what it saw, or [`broken`](Self::broken).
#[derive(Debug, Clone, Copy)]
pub(super) struct Law(&'static str);

/// The laws for sources, with or without transforms behind them.
impl Law {
    /// The ledger finds positions and state by these names.
    pub(super) const NAMES: Self = Self("names are unique and the same in every run");
    pub(super) const READS: Self = Self("the data can be read to their end");
    pub(super) const ORIGIN: Self = Self("every record says where it was read");
    pub(super) const NUMBERS: Self = Self("the records of a split are numbered in order, each once");
    pub(super) const FORWARD: Self = Self("positions never go back");
    pub(super) const COVERS: Self = Self("a position leaves with or after every record up to it");
    pub(super) const BALANCE: Self = Self("read = records + rejects + filtered");
    /// This holds after a stop or a crash at any point.
    pub(super) const RESUME: Self = Self("resuming yields exactly what follows");
    pub(super) const BOUNDED: Self = Self("what waits in memory is bounded");
    pub(super) const UNTOUCHED: Self = Self("checking and reading change nothing outside");
    pub(super) const ACK_EARLY: Self = Self("nothing is acted on before its commit");
    pub(super) const ACK_ACTS: Self = Self("what was committed is acted on");
    pub(super) const ACK_OTHERS: Self = Self("positions of other sources are ignored");
    pub(super) const ACK_AGAIN: Self = Self("a commit that is reported twice does no harm");
}

/// The laws for transforms.
impl Law {
    pub(super) const BATCHING: Self = Self("the result does not depend on the batches");
    pub(super) const CUT: Self = Self("a cut at any commit changes nothing, state included");
    pub(super) const WHOLE_BATCHES: Self = Self("batches may be merged, never split");
    pub(super) const STATE_NAME: Self = Self("state is kept under a name that was described");
    pub(super) const EMPTY_BATCHES: Self = Self("empty batches pass through");
    pub(super) const ERROR: Self = Self("an error of the input is passed on");
    pub(super) const KEEPS: Self = Self("positions, counts and the state of others are kept");
    pub(super) const REJECTS: Self = Self("rejects pass through untouched");
}

/// The laws for sinks.
impl Law {
    pub(super) const WORKS: Self = Self("it works without an error");
    pub(super) const EPOCHS: Self = Self("epochs are consecutive");
    pub(super) const COMMITS: Self = Self("a commit stands for whole batches of the input, in order");
    pub(super) const COUNTS: Self = Self("commits count what became of every record");
    pub(super) const ALL_COMMITTED: Self = Self("when the input ends, all of it is committed");
    pub(super) const LEDGER: Self = Self("the ledger gives back what was committed, unchanged");
    /// Nothing is lost, nothing is doubled, and no half batch is stored.
    pub(super) const ONCE: Self = Self("the contents are exactly what the ledger covers");
    pub(super) const PREFIX: Self = Self("the contents are a prefix of the input with all that was committed");
    pub(super) const IDENTITY: Self = Self("what is stored already is counted as a duplicate");
}

/// The law for pipelines.
impl Law {
    pub(super) const SAME: Self = Self("a pipeline that was cut ends with the same contents as one that was not");
}

/// The laws for aggregates.
impl Law {
    pub(super) const MERGED: Self = Self("an aggregate's result does not depend on how its records were merged");
    pub(super) const STORED: Self = Self("an accumulator comes back from a checkpoint as it was");
}

impl Law {
    /// Fails the test. `seen` is what contradicts the law, and `at` is when it was seen.
    #[track_caller]
    pub(super) fn broken(self, at: &dyn Display, seen: impl Display) -> ! {
        panic!("broken law: {}\n  seen: {seen}\n  at: {at}", self.0)
    }

    /// Fails the test unless `holds`; `seen` is called only then.
    #[track_caller]
    pub(super) fn holds(self, holds: bool, at: &dyn Display, seen: impl FnOnce() -> String) {
        if !holds {
            self.broken(at, seen());
        }
    }
}
