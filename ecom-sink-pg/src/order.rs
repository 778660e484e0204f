//! The order in which epochs that are written at the same time are committed.
//!
//! An epoch is committed after the one before it. When one fails, the younger ones roll back, it is tried again alone once
//! all older ones are committed, and the younger ones start after its commit.

use std::collections::BTreeSet;

use tokio::sync::watch;

use crate::in_flight::Key;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Order {
    /// How many epochs are open at most, besides the one that is gathered.
    connections: i64,
    state: watch::Sender<State>,
}

#[derive(Debug)]
struct State {
    /// The last epoch that was committed.
    committed: i64,
    /// Those that failed and are not committed yet.
    failed: BTreeSet<i64>,
    /// Keys of rows that the server refused, with the epoch in which it did: a younger row that was left out in favour of
    /// such a one takes its place.
    refused: Vec<(i64, Key)>,
}

impl Order {
    /// Goes on after the last epoch that was committed.
    pub(crate) fn new(committed: i64, connections: usize) -> Self {
        Self {
            connections: connections as i64,
            state: watch::Sender::new(State {
                committed,
                failed: BTreeSet::new(),
                refused: Vec::new(),
            }),
        }
    }

    /// Waits until no older epoch has failed.
    pub(crate) async fn may_start(&self, epoch: i64) {
        self.wait(|state| !state.is_recalled(epoch)).await;
    }

    /// Waits until an older epoch has failed: whatever was done for this one must be rolled back.
    pub(crate) async fn recalled(&self, epoch: i64) {
        self.wait(|state| state.is_recalled(epoch)).await;
    }

    /// Waits until all older epochs are committed.
    pub(crate) async fn turn_of(&self, epoch: i64) {
        self.wait(|state| state.committed == epoch - 1).await;
    }

    /// Recalls all younger epochs until this one is committed.
    pub(crate) fn failed(&self, epoch: i64) {
        self.state.send_modify(|state| {
            state.failed.insert(epoch);
        });
    }

    /// Lets the next epoch have its turn. Rows with the keys in `refused` are not in the table, though younger ones were left
    /// out for them.
    pub(crate) fn committed(&self, epoch: i64, refused: impl Iterator<Item = Key>) {
        self.state.send_modify(|state| {
            debug_assert_eq!(state.committed, epoch - 1, "an epoch out of its turn");
            state.committed = epoch;
            state.failed.remove(&epoch);
            state.refused.extend(refused.map(|key| (epoch, key)));
        });
    }

    /// Takes the refused keys that `is_wanted` for an epoch whose turn it is.
    pub(crate) fn take_refused(&self, epoch: i64, mut is_wanted: impl FnMut(&Key) -> bool) -> bool {
        let mut taken = false;
        self.state.send_if_modified(|state| {
            // Rows that were gathered later did not meet the refused one.
            state.refused.retain(|(of, _)| of + self.connections >= epoch);
            state.refused.retain(|(_, key)| {
                let is_wanted = is_wanted(key);
                taken |= is_wanted;
                !is_wanted
            });
            false
        });
        taken
    }

    async fn wait(&self, holds: impl FnMut(&State) -> bool) {
        // The sender is ours, so that it is never gone.
        let mut holds = holds;
        let _ = self.state.subscribe().wait_for(|state| holds(state)).await;
    }
}

impl State {
    fn is_recalled(&self, epoch: i64) -> bool {
        self.failed.first().is_some_and(|failed| *failed < epoch)
    }
}
