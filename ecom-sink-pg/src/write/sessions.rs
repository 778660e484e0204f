//! The sessions of the writers, as many as the server gives.
//!
//! A session is lent for one epoch. A role, a pooler or a server may allow fewer connections than
//! are wished for; then writers take turns with those that there are.
//!
//! An epoch gets a session only when all older ones have theirs, or are committed. Otherwise a
//! younger one could keep the last session and wait for its turn, which would never come.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::commit_order::CommitOrder;
use super::session::Session;
use crate::connect::Connector;
use crate::failure::Failure;
use crate::tables::CheckedTable;

/// How often more connections are tried for, while there are fewer than wished.
const TRY_FOR_MORE: Duration = Duration::from_secs(30);

/// How long opening one more session may take, while there is another: a pooler does not refuse
/// connections, but keeps them waiting.
const OPEN_WITHIN: Duration = Duration::from_secs(10);

/// The sessions that all writers of a pipeline share.
#[derive(Debug)]
pub(super) struct Sessions {
    connector: Connector,
    tables: Arc<[CheckedTable]>,
    /// How many there are at most.
    wished: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Session>,
    /// The epochs that have one.
    lent: BTreeSet<i64>,
    /// How many are being opened.
    opening: usize,
    /// Why the last one could not be opened, while there was no other.
    failed: Option<Failure>,
    /// When more are tried for again.
    refused_until: Option<Instant>,
    /// Whether it was logged that there are fewer than wished.
    is_told: bool,
    /// Opens them. Dropping it ends what is under way.
    openers: JoinSet<()>,
}

impl State {
    /// How many sessions there are.
    fn open(&mut self) -> usize {
        self.idle.retain(|session| !session.is_closed() && !session.is_old());
        self.idle.len() + self.lent.len()
    }

    /// Whether all older epochs have a session or are committed.
    fn is_turn_of(&self, epoch: i64, committed: i64) -> bool {
        (committed + 1..epoch).all(|older| self.lent.contains(&older))
    }
}

impl Sessions {
    pub(super) fn new(connector: Connector, tables: Arc<[CheckedTable]>, wished: usize) -> Arc<Self> {
        Arc::new(Self {
            connector,
            tables,
            wished,
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Lends a session to an epoch, once it is free and all older epochs have theirs.
    ///
    /// # Errors
    ///
    /// When there is none, and none can be opened.
    ///
    /// # Cancel safety
    ///
    /// Safe: a session is lent or not.
    pub(super) async fn lend(self: &Arc<Self>, epoch: i64, order: &CommitOrder) -> Result<Session, Failure> {
        let mut has_asked = false;
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            {
                let mut state = self.lock();
                let open = state.open();
                if state.is_turn_of(epoch, order.last_committed())
                    && let Some(session) = state.idle.pop()
                {
                    state.lent.insert(epoch);
                    return Ok(session);
                }
                if let Some(failure) = state.failed.take() {
                    return Err(failure);
                }
                let is_refused = open > 0 && state.refused_until.is_some_and(|until| Instant::now() < until);
                if open + state.opening < self.wished && !is_refused && (!has_asked || state.opening == 0) {
                    has_asked = true;
                    self.start_to_open(&mut state);
                }
            }
            changed.await;
        }
    }

    /// Takes a session back from an epoch, to be lent again.
    pub(super) fn give_back(&self, epoch: i64, session: Session) {
        let mut state = self.lock();
        state.lent.remove(&epoch);
        state.idle.push(session);
        self.changed.notify_waiters();
    }

    /// The session of an epoch is no more, or its epoch is committed.
    pub(super) fn ended(&self, epoch: i64) {
        self.lock().lent.remove(&epoch);
        self.changed.notify_waiters();
    }

    /// Opens one more session in the background: a writer that waits for it may get another one
    /// meanwhile.
    fn start_to_open(self: &Arc<Self>, state: &mut State) {
        state.opening += 1;
        let (sessions, connector, tables) = (Arc::downgrade(self), self.connector.clone(), self.tables.clone());
        let within = match state.open() {
            0 => Duration::MAX,
            _ => OPEN_WITHIN.min(connector.deadline.0),
        };
        // Those that are done.
        while state.openers.try_join_next().is_some() {}
        state.openers.spawn(async move {
            let opened = match timeout(within, Session::open(&connector, &tables)).await {
                Ok(opened) => opened,
                Err(_) => Err(Failure::Silence {
                    doing: "connecting",
                    after: within,
                }),
            };
            Self::opened(&sessions, opened);
        });
    }

    /// Adds a session that was opened, or notes why that failed.
    fn opened(sessions: &Weak<Self>, opened: Result<Session, Failure>) {
        let Some(sessions) = sessions.upgrade() else { return };
        let mut state = sessions.lock();
        state.opening -= 1;
        let wished = sessions.wished;
        match opened {
            Ok(session) => {
                state.idle.push(session);
                if state.is_told && state.open() == wished {
                    state.is_told = false;
                    tracing::info!("writing on all {wished} connections now");
                }
            }
            Err(failure) => match state.open() {
                0 => state.failed = Some(failure),
                open => {
                    state.refused_until = Some(Instant::now() + TRY_FOR_MORE);
                    if !std::mem::replace(&mut state.is_told, true) {
                        tracing::warn!(
                            "writing on {open} of the {wished} connections that were asked for, and trying for more every \
                             {} seconds: {}",
                            TRY_FOR_MORE.as_secs(),
                            failure.into_error("opening another one").report()
                        );
                    }
                }
            },
        }
        sessions.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it can leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_gets_a_session_after_all_older_ones_that_are_not_committed() {
        let mut state = State::default();
        assert!(state.is_turn_of(4, 3));
        assert!(!state.is_turn_of(5, 3), "it would keep the last one from epoch 4");
        state.lent.insert(4);
        assert!(state.is_turn_of(5, 3) && !state.is_turn_of(6, 3));
        // Its connection broke.
        state.lent.extend([5, 6]);
        state.lent.remove(&4);
        assert!(!state.is_turn_of(7, 3));
        assert!(state.is_turn_of(7, 4));
    }
}
