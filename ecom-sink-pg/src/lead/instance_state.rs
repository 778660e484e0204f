//! The state of an instance: connecting, standing by, leading, failing, incomplete or superseded.
//!
//! Health checks read it; see [`PgSink::instance_state`](crate::PgSink::instance_state). The
//! sender is shared by everything that can change the state: the claim, the leading session and
//! the writers.
//!
//! ```text
//! Connecting ──► StandingBy ──► Leading ◄──► Failing
//!   ▲   └───────────────────────►  │            │
//!   └─── lead lost, runs again ────┴────────────┤
//!                                  Superseded ◄─┘  by --take-over
//! ```
//!
//! `Incomplete` takes the place of `StandingBy` and `Leading` while commits are missing that the
//! server has lost.

use std::collections::HashSet;
use std::sync::Arc;

use ecom_stream::Split;
use tokio::sync::watch;

use super::acknowledged::{CommittedSplit, LostSplit, in_words};
#[cfg(feature = "metrics")]
use crate::metrics;

/// The state of an instance of a pipeline.
///
/// # Examples
///
/// ```
/// use ecom_sink_pg::{InstanceState, PgSink};
///
/// fn is_ready(state: &InstanceState) -> bool {
///     matches!(state, InstanceState::Leading | InstanceState::StandingBy { .. })
/// }
///
/// let state = PgSink::from_url("postgresql://localhost/shop")?.instance_state();
/// assert!(!is_ready(&state.now()), "it has not connected yet");
/// # Ok::<(), ecom_stream::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstanceState {
    /// It is connecting to the server and preparing the schema.
    Connecting,
    /// Another instance runs the pipeline, and this one waits until that one ends.
    StandingBy {
        /// The instance that runs it: its name, process and address at the server, in words.
        holder: String,
    },
    /// It runs the pipeline.
    Leading,
    /// It runs the pipeline, but its last try failed; it keeps trying.
    Failing {
        /// What fails, and what to do about it.
        why: String,
    },
    /// It runs the pipeline or stands by, but the server has lost commits that this instance had
    /// made: it was restored, or a replica that lagged behind has taken its place. The state ends
    /// once what is missing is loaded again.
    Incomplete {
        /// What is missing, and what to do about it.
        why: String,
    },
    /// Another instance has taken over, as it was told to. This one commits nothing more.
    Superseded,
}

/// Receives the state of an instance; see
/// [`PgSink::instance_state`](crate::PgSink::instance_state). A clone is an independent receiver.
///
/// It holds only the latest state: a receiver that reads slowly skips states in between.
#[derive(Debug, Clone)]
pub struct InstanceStateReceiver(watch::Receiver<StateInner>);

impl InstanceStateReceiver {
    /// The state now.
    pub fn now(&self) -> InstanceState {
        self.0.borrow().instance_state()
    }

    /// Waits until the state differs from the one that this receiver saw last; `None` once the
    /// run has ended.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<InstanceState> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().instance_state())
    }
}

/// What the state is computed from. An error of the writers and an error of the leading session
/// are kept apart, since each of the two clears only its own.
#[derive(Debug, Clone, PartialEq, Eq)]
struct StateInner {
    /// Any state but `Failing` and `Incomplete`.
    phase: InstanceState,
    /// Why the last try to write an epoch failed.
    writing_error: Option<String>,
    /// Why the ledger could not be read.
    leading_error: Option<String>,
    /// Commits of earlier runs of this instance that must be looked up in the ledger.
    doubted: Vec<CommittedSplit>,
    /// Those that the server has lost.
    lost: Vec<LostSplit>,
    /// Whether an earlier run of this instance has led.
    has_led: bool,
}

/// What to do about commits that the server has lost.
pub(crate) const PUT_BACK: &str = "what is still in the input directory is loaded again; move files that were archived \
    since then back from the archive under their old names, and provide those that were deleted again";

impl StateInner {
    fn instance_state(&self) -> InstanceState {
        match (&self.phase, self.writing_error.as_ref().or(self.leading_error.as_ref())) {
            (InstanceState::Leading, Some(why)) => InstanceState::Failing { why: why.clone() },
            (InstanceState::Leading | InstanceState::StandingBy { .. }, _) if !self.lost.is_empty() => {
                let why = format!("the server has lost {}: {PUT_BACK}", in_words(&self.lost));
                InstanceState::Incomplete { why }
            }
            (phase, _) => phase.clone(),
        }
    }
}

/// The sending half of [`InstanceStateReceiver`]. Clones share one state.
#[derive(Debug, Clone)]
pub(crate) struct InstanceStateSender(Arc<watch::Sender<StateInner>>);

impl InstanceStateSender {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(StateInner {
            phase: InstanceState::Connecting,
            writing_error: None,
            leading_error: None,
            doubted: Vec::new(),
            lost: Vec::new(),
            has_led: false,
        })))
    }

    /// Begins a run of this instance.
    pub(crate) fn begin_run(&self) {
        self.set_phase(InstanceState::Connecting);
        self.change(|inner| (inner.writing_error, inner.leading_error) = (None, None));
    }

    /// Whether an earlier run of this instance has led.
    pub(crate) fn has_led(&self) -> bool {
        self.0.borrow().has_led
    }

    /// Adds commits that must be looked up in the ledger by the next run.
    pub(crate) fn add_doubted(&self, doubted: Vec<CommittedSplit>) {
        self.change(|inner| inner.doubted.extend(doubted));
    }

    /// The commits that must be looked up in the ledger: those that are doubted, and those that were
    /// lost.
    pub(crate) fn doubted(&self) -> Vec<CommittedSplit> {
        let inner = self.0.borrow();
        let of_splits: HashSet<&Split> = inner.doubted.iter().map(|doubted| &doubted.split).collect();
        let lost = inner.lost.iter().map(|lost| &lost.committed);
        let lost = lost.filter(|lost| !of_splits.contains(&lost.split));
        inner.doubted.iter().chain(lost).cloned().collect()
    }

    /// The commits that the server has lost.
    pub(crate) fn lost(&self) -> Vec<LostSplit> {
        self.0.borrow().lost.clone()
    }

    /// Sets which commits the server has lost.
    pub(crate) fn set_lost(&self, lost: Vec<LostSplit>) {
        self.change(|inner| inner.lost = lost);
    }

    /// Sets which of the doubted commits the server has lost, and doubts the others no longer.
    pub(crate) fn looked_up(&self, lost: Vec<LostSplit>) {
        self.change(|inner| (inner.doubted, inner.lost) = (Vec::new(), lost));
    }

    /// A new receiver of this state.
    pub(crate) fn receiver(&self) -> InstanceStateReceiver {
        InstanceStateReceiver(self.0.subscribe())
    }

    /// Sets the phase: any state but `Failing` and `Incomplete`, which follow from the rest.
    pub(crate) fn set_phase(&self, phase: InstanceState) {
        #[cfg(feature = "metrics")]
        metrics::leads(phase == InstanceState::Leading);
        self.change(|inner| {
            inner.has_led |= phase == InstanceState::Leading;
            inner.phase = phase;
        });
    }

    /// Sets why writing epochs fails; `None` once one is written.
    pub(crate) fn writing_fails(&self, why: Option<String>) {
        self.change(|inner| inner.writing_error = why);
    }

    /// Sets why reading the ledger fails; `None` once it is read.
    pub(crate) fn leading_fails(&self, why: Option<String>) {
        self.change(|inner| inner.leading_error = why);
    }

    /// Sets that the ledger gives no answer, unless it is known why.
    pub(crate) fn leading_is_silent(&self, why: String) {
        self.change(|inner| {
            inner.leading_error.get_or_insert(why);
        });
    }

    /// Applies a change, and wakes receivers only if something changed.
    fn change(&self, change: impl FnOnce(&mut StateInner)) {
        self.0.send_if_modified(|inner| {
            let before = inner.clone();
            change(inner);
            *inner != before
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_is_failing_while_either_error_is_set() {
        let state_sender = InstanceStateSender::new();
        let receiver = state_sender.receiver();
        assert_eq!(receiver.now(), InstanceState::Connecting);
        state_sender.set_phase(InstanceState::Leading);
        let fails = |why: &str| InstanceState::Failing { why: why.into() };
        state_sender.leading_fails(Some("a".into()));
        assert_eq!(receiver.now(), fails("a"));
        state_sender.writing_fails(Some("b".into()));
        assert_eq!(receiver.now(), fails("b"));
        state_sender.leading_fails(None);
        assert_eq!(receiver.now(), fails("b"));
        state_sender.writing_fails(None);
        assert_eq!(receiver.now(), InstanceState::Leading);
        state_sender.writing_fails(Some("b".into()));
        state_sender.set_phase(InstanceState::Superseded);
        assert_eq!(receiver.now(), InstanceState::Superseded);
    }
}
