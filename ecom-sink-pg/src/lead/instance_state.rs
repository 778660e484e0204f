//! The state of an instance: connecting, standing by, leading, failing or superseded.

use std::sync::Arc;

use tokio::sync::watch;

#[cfg(feature = "metrics")]
use crate::metrics;

/// Where an instance of a pipeline stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstanceState {
    /// It is on the way to the server, and prepares the schema.
    Connecting,
    /// Another instance runs the pipeline, and it waits for that one's end.
    StandingBy {
        /// Who runs it.
        holder: String,
    },
    /// It runs the pipeline.
    Leading,
    /// It runs the pipeline, and what it tries fails: it goes on trying.
    Failing {
        /// What fails, and what to do about it.
        why: String,
    },
    /// Another instance has taken over.
    Superseded,
}

/// Tells where an instance stands; see [`PgSink::instance_state`](crate::PgSink::instance_state). A clone is a receiver of its own.
#[derive(Debug, Clone)]
pub struct InstanceStateReceiver(watch::Receiver<StateInner>);

impl InstanceStateReceiver {
    /// Where it stands now.
    pub fn now(&self) -> InstanceState {
        self.0.borrow().instance_state()
    }

    /// Waits until it stands elsewhere than when this receiver looked last; `None` once the run has ended.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<InstanceState> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().instance_state())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct StateInner {
    phase: InstanceState,
    /// Of those that write and of the one that leads: each mends its own.
    writing_error: Option<String>,
    leading_error: Option<String>,
}

impl StateInner {
    fn instance_state(&self) -> InstanceState {
        match (&self.phase, self.writing_error.as_ref().or(self.leading_error.as_ref())) {
            (InstanceState::Leading, Some(why)) => InstanceState::Failing { why: why.clone() },
            (phase, _) => phase.clone(),
        }
    }
}

/// The other end of the receivers.
#[derive(Debug, Clone)]
pub(crate) struct InstanceStateSender(Arc<watch::Sender<StateInner>>);

impl InstanceStateSender {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(StateInner {
            phase: InstanceState::Connecting,
            writing_error: None,
            leading_error: None,
        })))
    }

    pub(crate) fn receiver(&self) -> InstanceStateReceiver {
        InstanceStateReceiver(self.0.subscribe())
    }

    pub(crate) fn set_phase(&self, phase: InstanceState) {
        #[cfg(feature = "metrics")]
        metrics::leads(phase == InstanceState::Leading);
        self.change(|inner| inner.phase = phase);
    }

    /// What the writing of epochs fails with; nothing once one is written.
    pub(crate) fn writing_fails(&self, why: Option<String>) {
        self.change(|inner| inner.writing_error = why);
    }

    /// What asking the ledger fails with; nothing once it answers.
    pub(crate) fn leading_fails(&self, why: Option<String>) {
        self.change(|inner| inner.leading_error = why);
    }

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
    fn one_that_leads_fails_as_long_as_either_does() {
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
