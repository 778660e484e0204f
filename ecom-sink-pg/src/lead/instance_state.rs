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
pub struct InstanceStateReceiver(watch::Receiver<Known>);

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
struct Known {
    phase: InstanceState,
    /// Of those that write and of the one that leads: each mends its own.
    writing: Option<String>,
    leading: Option<String>,
}

impl Known {
    fn instance_state(&self) -> InstanceState {
        match (&self.phase, self.writing.as_ref().or(self.leading.as_ref())) {
            (InstanceState::Leading, Some(why)) => InstanceState::Failing { why: why.clone() },
            (phase, _) => phase.clone(),
        }
    }
}

/// The other end of the receivers.
#[derive(Debug, Clone)]
pub(crate) struct InstanceStateSender(Arc<watch::Sender<Known>>);

impl InstanceStateSender {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Known {
            phase: InstanceState::Connecting,
            writing: None,
            leading: None,
        })))
    }

    pub(crate) fn receiver(&self) -> InstanceStateReceiver {
        InstanceStateReceiver(self.0.subscribe())
    }

    pub(crate) fn stands(&self, phase: InstanceState) {
        #[cfg(feature = "metrics")]
        metrics::leads(phase == InstanceState::Leading);
        self.change(|known| known.phase = phase);
    }

    /// What the writing of epochs fails with; nothing once one is written.
    pub(crate) fn writing_fails(&self, why: Option<String>) {
        self.change(|known| known.writing = why);
    }

    /// What asking the ledger fails with; nothing once it answers.
    pub(crate) fn leading_fails(&self, why: Option<String>) {
        self.change(|known| known.leading = why);
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        self.0.send_if_modified(|known| {
            let before = known.clone();
            change(known);
            *known != before
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_leads_fails_as_long_as_either_does() {
        let teller = InstanceStateSender::new();
        let receiver = teller.receiver();
        assert_eq!(receiver.now(), InstanceState::Connecting);
        teller.stands(InstanceState::Leading);
        let fails = |why: &str| InstanceState::Failing { why: why.into() };
        teller.leading_fails(Some("a".into()));
        assert_eq!(receiver.now(), fails("a"));
        teller.writing_fails(Some("b".into()));
        assert_eq!(receiver.now(), fails("b"));
        teller.leading_fails(None);
        assert_eq!(receiver.now(), fails("b"));
        teller.writing_fails(None);
        assert_eq!(receiver.now(), InstanceState::Leading);
        teller.writing_fails(Some("b".into()));
        teller.stands(InstanceState::Superseded);
        assert_eq!(receiver.now(), InstanceState::Superseded);
    }
}
