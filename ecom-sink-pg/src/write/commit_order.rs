//! The order in which epochs that are written at the same time are committed.
//!
//! An epoch is committed after the one before it. When one fails, the younger ones roll back, and
//! the failed one is tried again alone, once all older ones are committed. The younger ones start
//! again after its commit. So whatever must be found out about a failed epoch is found out while
//! no other epoch of this pipeline is open.
//!
//! ```text
//! epoch 4   COPY ─── COMMIT
//! epoch 5   COPY ─── fails ──────── tried again ─── COMMIT
//! epoch 6   COPY ────────── ROLLBACK                       COPY ─── COMMIT
//! ```

use std::collections::BTreeSet;

use tokio::sync::watch;

use crate::epoch::EventKey;

/// The order in which epochs are committed. All writers of a pipeline share it.
#[derive(Debug)]
pub(crate) struct CommitOrder {
    /// How many epochs are written at the same time at most.
    connections: i64,
    state: watch::Sender<State>,
}

/// What is known of all epochs.
#[derive(Debug)]
struct State {
    /// The last epoch that was committed.
    committed: i64,
    /// Epochs that failed and are not committed yet.
    failed: BTreeSet<i64>,
    /// Keys of rows that the server rejected, each with the number of the epoch. A younger row
    /// that was left out as a duplicate of such a row has to be stored after all.
    refused: Vec<(i64, EventKey)>,
}

impl CommitOrder {
    /// Continues after the last epoch that was committed.
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

    /// The last epoch that was committed.
    pub(crate) fn last_committed(&self) -> i64 {
        self.state.borrow().committed
    }

    /// Waits until no older epoch has failed.
    pub(crate) async fn may_start(&self, epoch: i64) {
        self.wait(|state| !state.has_older_failure(epoch)).await;
    }

    /// Waits until an older epoch has failed: then whatever was done for this one must be rolled
    /// back.
    pub(crate) async fn older_failed(&self, epoch: i64) {
        self.wait(|state| state.has_older_failure(epoch)).await;
    }

    /// Waits until all older epochs are committed.
    pub(crate) async fn wait_turn(&self, epoch: i64) {
        self.wait(|state| state.committed == epoch - 1).await;
    }

    /// Makes all younger epochs roll back and wait until this one is committed.
    pub(crate) fn failed(&self, epoch: i64) {
        self.state.send_modify(|state| {
            state.failed.insert(epoch);
        });
    }

    /// Lets the next epoch have its turn. Rows with the keys in `refused` are not in the table,
    /// although younger rows were left out as their duplicates.
    pub(crate) fn committed(&self, epoch: i64, refused: impl Iterator<Item = EventKey>) {
        self.state.send_modify(|state| {
            debug_assert_eq!(state.committed, epoch - 1, "an epoch out of its turn");
            state.committed = epoch;
            state.failed.remove(&epoch);
            state.refused.extend(refused.map(|key| (epoch, key)));
        });
    }

    /// Takes those rejected keys that `is_wanted` selects, for an epoch whose turn it is. Returns
    /// whether there were any.
    pub(crate) fn take_refused(&self, epoch: i64, mut is_wanted: impl FnMut(&EventKey) -> bool) -> bool {
        let mut taken = false;
        self.state.send_if_modified(|state| {
            // Rows of later epochs were never left out as duplicates of the rejected one.
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

    /// Waits until a condition holds.
    async fn wait(&self, holds: impl FnMut(&State) -> bool) {
        // The sender is ours, so that it is never gone.
        let mut holds = holds;
        let _ = self.state.subscribe().wait_for(|state| holds(state)).await;
    }
}

impl State {
    /// Whether an epoch older than this one has failed.
    fn has_older_failure(&self, epoch: i64) -> bool {
        self.failed.first().is_some_and(|failed| *failed < epoch)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::{Arc, Mutex};

    use futures::future::{Either, join_all, select};

    use super::*;

    const EPOCHS: i64 = 6;

    /// What happened so far: the commits, and the epochs that have something to roll back.
    #[derive(Default)]
    struct Seen {
        committed: Vec<i64>,
        open: BTreeSet<i64>,
    }

    async fn dawdle(random: &Mutex<fastrand::Rng>) {
        let times = random.lock().unwrap().usize(0..20);
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
    }

    /// Writes an epoch as a writer does, with failures now and then.
    async fn write(epoch: i64, order: Arc<CommitOrder>, seen: Arc<Mutex<Seen>>, random: Arc<Mutex<fastrand::Rng>>) {
        loop {
            order.may_start(epoch).await;
            let works = async {
                seen.lock().unwrap().open.insert(epoch);
                dawdle(&random).await;
                if random.lock().unwrap().u8(0..4) == 0 {
                    return false;
                }
                order.wait_turn(epoch).await;
                dawdle(&random).await;
                random.lock().unwrap().u8(0..8) > 0
            };
            let is_done = match select(pin!(works), pin!(order.older_failed(epoch))).await {
                Either::Left((is_done, _)) => Some(is_done),
                Either::Right(_) => None,
            };
            if is_done == Some(true) {
                let mut seen = seen.lock().unwrap();
                seen.open.remove(&epoch);
                seen.committed.push(epoch);
                break;
            }
            seen.lock().unwrap().open.remove(&epoch);
            if is_done == Some(false) {
                order.failed(epoch);
                order.wait_turn(epoch).await;
            }
        }
        order.committed(epoch, std::iter::empty());
    }

    #[tokio::test]
    async fn epochs_are_committed_in_order_whatever_fails() {
        for seed in 0..2_000 {
            let order = Arc::new(CommitOrder::new(0, EPOCHS as usize));
            let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
            let seen = Arc::new(Mutex::new(Seen::default()));
            let writers =
                (1..=EPOCHS).map(|epoch| tokio::spawn(write(epoch, order.clone(), seen.clone(), random.clone())));
            for written in join_all(writers).await {
                written.unwrap();
            }
            let committed = seen.lock().unwrap().committed.clone();
            assert_eq!(committed, (1..=EPOCHS).collect::<Vec<_>>(), "seed {seed}");
        }
    }

    #[tokio::test]
    async fn a_failed_epoch_is_retried_alone() {
        let order = CommitOrder::new(0, 3);
        let now = futures::future::ready(());
        let has_older_failure = async |epoch| {
            matches!(
                select(pin!(order.older_failed(epoch)), now.clone()).await,
                Either::Left(_)
            )
        };
        assert!(!has_older_failure(3).await);
        order.failed(2);
        assert!(!has_older_failure(1).await && !has_older_failure(2).await && has_older_failure(3).await);
        order.failed(1);
        assert!(!has_older_failure(1).await && has_older_failure(2).await);
        order.committed(1, std::iter::empty());
        assert!(!has_older_failure(2).await && has_older_failure(3).await);
        order.committed(2, std::iter::empty());
        assert!(!has_older_failure(3).await);
    }

    #[test]
    fn a_rejected_key_is_taken_once_and_only_by_epochs_that_saw_it() {
        let key = |n| EventKey::new(uuid::Uuid::from_u128(n), time::OffsetDateTime::UNIX_EPOCH);
        let order = CommitOrder::new(0, 2);
        order.committed(1, [key(1), key(2)].into_iter());
        assert!(order.take_refused(2, |wanted| *wanted == key(1)));
        assert!(!order.take_refused(3, |wanted| *wanted == key(1)));
        assert!(
            !order.take_refused(4, |_| true),
            "gathered when the table was known not to have it"
        );
    }
}
