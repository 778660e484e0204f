//! Writes epochs on one connection, and tries each until it is durable.
//!
//! After a failure the writer asks [`Failure::action`] what to do:
//!
//! | action | what the writer does |
//! |---|---|
//! | `Retry` | tries again on a new connection, after a growing delay |
//! | `Pause` | reports an error, waits longer, and tries again |
//! | `StartOver` | tries again at once |
//! | `LookUpKeys` | looks up duplicates, and copies the rest |
//! | `MakePartitions` | creates missing partitions, and tries again |
//! | `Bisect` | writes in halves, to find the row that the server rejects |
//!
//! If the COMMIT may have happened although it failed, the ledger is asked before the next try.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ecom_stream::{Commit, Result, StageDurations, crash_point};
use futures::future::{Either, select};
use time::Date;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::bisect::{BisectOptions, Verdicts, write_bisecting};
use super::commit_order::CommitOrder;
use super::session::Session;
use super::sessions::Sessions;
use crate::epoch::Epoch;
use crate::failure::{Action, Failure, PAUSE, Step, delays};
use crate::lead::{CommitOutcome, Leader};
#[cfg(feature = "metrics")]
use crate::metrics;
use crate::tables::CheckedTable;

/// Writes epochs, one after the other, on a connection of its own.
#[derive(Debug)]
pub(crate) struct WriterShared {
    leader: Arc<Leader>,
    sessions: Arc<Sessions>,
    order: CommitOrder,
    /// Days whose partitions are known to exist.
    partitions: Mutex<BTreeSet<Date>>,
    /// Whether the last epoch had rows that were in the table already: then the next one is
    /// likely to have some too.
    looks_up: AtomicBool,
    /// How many rows somebody's code has rejected since it last accepted one.
    rejected_in_a_row: AtomicUsize,
}

impl WriterShared {
    /// For writers that continue after the last epoch that was committed.
    pub(crate) fn new(leader: Arc<Leader>, committed: i64, tables: Arc<[CheckedTable]>, connections: usize) -> Self {
        Self {
            sessions: Sessions::new(leader.connector().clone(), tables, connections),
            leader,
            order: CommitOrder::new(committed, connections),
            partitions: Mutex::default(),
            looks_up: AtomicBool::new(false),
            rejected_in_a_row: AtomicUsize::new(0),
        }
    }
}

/// Writes epochs, one after the other, on a connection of its own.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<WriterShared>,
    /// The one that is lent for the epoch; `None` between epochs and after a failure.
    session: Option<Session>,
}

/// After this many look-ups that find nothing, a unique violation is not one of our key. The row
/// is then found by bisecting, like any other that the server rejects.
const MAX_FRUITLESS_LOOK_UPS: u32 = 3;

/// A function of the database may raise an error that stands for something temporary, such as a
/// serialization failure. After this many tries of an epoch it is taken as a rejection.
const MAX_RAISED_RETRIES: u32 = 3;

/// What earlier tries have taught about an epoch.
#[derive(Debug, Default)]
struct RetryState {
    /// Look-ups in a row that found nothing, although the server had reported a duplicate.
    fruitless: u32,
    /// Whether any look-up found duplicates.
    found: bool,
    /// Whether missing partitions were created for this epoch already.
    made_partitions: bool,
    /// Whether the next try writes in halves, and how.
    bisect: Option<BisectOptions>,
    /// What the last try found that wrote in halves.
    verdicts: Option<Verdicts>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<WriterShared>) -> Self {
        Self { shared, session: None }
    }

    /// Makes an epoch durable after the one before it, and tries until it is.
    ///
    /// # Errors
    ///
    /// Only when this instance does not lead any more, or the server has lost commits.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the epoch is rolled back, or may be committed if COMMIT had
    /// been sent already. The ledger tells which, at the next start.
    pub(crate) async fn write(&mut self, epoch: &mut Epoch) -> Result<Commit> {
        epoch.seal();
        let shared = self.shared.clone();
        let (order, number) = (&shared.order, epoch.number());
        let mut stages = StageDurations::default();
        stages.add("gather", epoch.age());
        let began = Instant::now();
        let mut last_try;
        let mut retry = RetryState::default();
        let mut raised = 0;
        let mut delays = delays();
        loop {
            order.may_start(number).await;
            last_try = StageDurations::default();
            let written_or_interrupted = {
                let tries = self.try_write(epoch, &mut retry, &mut last_try);
                match select(pin!(tries), pin!(order.older_failed(number))).await {
                    Either::Left((written, _)) => Some(written),
                    Either::Right(_) => None,
                }
            };
            let failure = match written_or_interrupted {
                Some(Ok(())) => break,
                Some(Err(failure)) => failure,
                None => {
                    self.roll_back().await?;
                    // The older one may need it.
                    self.release(number);
                    crash_point!("epoch.recalled");
                    continue;
                }
            };
            // Whatever happened, its transaction ends: with its session, unless nothing is wrong with that.
            let backend_pid = match failure {
                Failure::RowsReinstated => self.roll_back().await.map(|()| None)?,
                _ => self.session.take().map(|session| session.backend_pid()),
            };
            if self.session.is_none() {
                shared.sessions.ended(number);
            }
            order.failed(number);
            crash_point!("epoch.failed");
            order.wait_turn(number).await;
            let failure = match failure {
                Failure::NotAdvanced => {
                    shared.leader.check_not_advanced(number).await?;
                    // The row is as this instance left it, so the update itself was left out.
                    let table = "ecom.ingest_pipeline".to_owned();
                    Failure::RowsDropped { table }
                }
                Failure::NotWithdrawn => return Err(shared.leader.retried_meanwhile()),
                failure => failure,
            };
            let step = failure.step();
            let action = match failure.action() {
                Action::Retry if failure.is_raised() => {
                    raised += 1;
                    match step {
                        _ if raised <= MAX_RAISED_RETRIES => Action::Retry,
                        Step::Rows | Step::Commit => Action::Bisect,
                        _ => Action::Pause,
                    }
                }
                action => action,
            };
            #[cfg(feature = "metrics")]
            metrics::failed(action);
            let unknown = failure.is_unknown_outcome();
            match action {
                Action::LookUpKeys if retry.fruitless < MAX_FRUITLESS_LOOK_UPS => {
                    // In halves they were looked up already.
                    retry.fruitless += u32::from(retry.bisect.is_some());
                    tracing::debug!(epoch = number, "some rows are in the table already: looking them up");
                    shared.looks_up.store(true, Ordering::Relaxed);
                    continue;
                }
                Action::MakePartitions if !retry.made_partitions => {
                    shared.partitions.lock().await.clear();
                    retry.made_partitions = true;
                    continue;
                }
                // Of the unique violations, those of another key than ours.
                Action::LookUpKeys | Action::Bisect
                    if retry.bisect.is_none_or(|options| options.may_differ(action)) =>
                {
                    let said = failure.detail();
                    tracing::warn!(
                        epoch = number,
                        "the server rejected a row, bisecting the epoch to find it: {said}"
                    );
                    retry.bisect = Some(BisectOptions {
                        cause: action,
                        immediate_constraints: retry.bisect.is_some() || step == Step::Commit,
                        raised_too: raised > MAX_RAISED_RETRIES,
                        rejected_before: shared.rejected_in_a_row.load(Ordering::Relaxed),
                    });
                    continue;
                }
                Action::StartOver => continue,
                Action::Retry => {
                    let why = failure.into_error("writing").report();
                    tracing::warn!(epoch = number, "trying again: {why}");
                    shared.leader.state_sender().writing_fails(Some(why));
                }
                // Also where bisecting and looking up have found nothing.
                _ => {
                    let why = failure.into_error("writing").report();
                    tracing::error!("paused: {why}");
                    shared.leader.state_sender().writing_fails(Some(why));
                    tokio::time::sleep(PAUSE).await;
                }
            }
            retry = RetryState::default();
            shared.partitions.lock().await.clear();
            tokio::time::sleep(delays.next().unwrap_or_default()).await;
            if unknown && shared.leader.resolve_unknown_commit(number, backend_pid).await? == CommitOutcome::Committed {
                tracing::info!(
                    epoch = number,
                    "the epoch was committed, although the answer to COMMIT was lost"
                );
                break;
            }
        }
        match retry.verdicts {
            Some(verdicts) if !verdicts.any_accepted => shared
                .rejected_in_a_row
                .store(verdicts.rejected_by_code, Ordering::Relaxed),
            _ if epoch.all_rows() > 0 => shared.rejected_in_a_row.store(0, Ordering::Relaxed),
            _ => {}
        }
        let mut commit = commit(epoch);
        shared.leader.committed(number, &commit.positions);
        order.committed(number, epoch.refused_keys());
        self.release(number);
        shared.leader.state_sender().writing_fails(None);
        #[cfg(feature = "metrics")]
        metrics::refused(&epoch.dead_letters());
        stages.add("retry", began.elapsed().saturating_sub(last_try.sum()));
        for (stage, time) in last_try.iter() {
            stages.add(stage, time);
        }
        commit.stages = stages;
        Ok(commit)
    }

    /// Tries to write an epoch once, and records how long each stage took.
    async fn try_write(
        &mut self,
        epoch: &mut Epoch,
        retry: &mut RetryState,
        stages: &mut StageDurations,
    ) -> Result<(), Failure> {
        let mut clock = Instant::now();
        let mut ended = |stage| {
            let began = std::mem::replace(&mut clock, Instant::now());
            stages.add(stage, clock - began);
        };
        let WriterShared {
            leader,
            sessions,
            order,
            partitions,
            looks_up,
            ..
        } = &*self.shared;
        let session = match &mut self.session {
            Some(session) => session,
            session => session.insert(sessions.lend(epoch.number(), order).await?),
        };
        {
            let mut known = partitions.lock().await;
            session.make_partitions(&mut known, epoch.days()).await?;
        }
        ended("begin");
        if let Some(options) = retry.bisect {
            // It is its turn, so what older epochs could not store is known.
            order.take_refused(epoch.number(), |key| epoch.reinstate_duplicate(key));
            retry.verdicts = Some(write_bisecting(session, epoch, options).await?);
        } else if looks_up.load(Ordering::Relaxed) {
            let found = session.begin_looking_up(epoch).await?;
            retry.fruitless = if found == 0 { retry.fruitless + 1 } else { 0 };
            retry.found |= found > 0;
            // Without any in this epoch the next one tries the fast path again.
            looks_up.store(retry.found, Ordering::Relaxed);
            ended("look_up");
            crash_point!("keys.looked_up");
            session.copy(epoch, 0..epoch.len()).await?;
            session.copy_tables(epoch).await?;
        } else {
            session.begin_and_copy(epoch).await?;
            session.copy_tables(epoch).await?;
        }
        crash_point!("copy.finished");
        session.write_dead_letters(epoch, leader.pipeline()).await?;
        ended("copy");
        order.wait_turn(epoch.number()).await;
        crash_point!("turn.come");
        if order.take_refused(epoch.number(), |key| epoch.reinstate_duplicate(key)) {
            return Err(Failure::RowsReinstated);
        }
        ended("turn");
        session.merge_staging_tables(epoch).await?;
        session.withdraw_splits(epoch).await?;
        crash_point!("commit.begun");
        session.write_ledger_and_commit(epoch, leader).await?;
        ended("commit");
        crash_point!("commit.acknowledged");
        Ok(())
    }

    /// Gives the session back, if there is one, for this epoch's next try or for another one.
    fn release(&mut self, epoch: i64) {
        match self.session.take() {
            Some(session) => self.shared.sessions.give_back(epoch, session),
            None => self.shared.sessions.ended(epoch),
        }
    }

    /// Rolls back, so that the locks of this transaction are free: an older epoch, or the next
    /// try of this one, may need them. If the connection is broken, the server process is
    /// terminated.
    async fn roll_back(&mut self) -> Result<()> {
        let Some(session) = self.session.take() else {
            return Ok(());
        };
        match session.run("rolling back", "ROLLBACK").await {
            Ok(()) => self.session = Some(session),
            Err(_) => {
                let pid = session.backend_pid();
                drop(session);
                self.shared.leader.end_backend(pid).await?;
            }
        }
        Ok(())
    }
}

/// The commit that is reported for a durable epoch.
fn commit(epoch: &Epoch) -> Commit {
    let mut commit = Commit::new(epoch.number() as u64);
    for progress in epoch.split_deltas() {
        commit.counts += progress.counts;
        commit.positions.extend(progress.position);
    }
    commit.counts += epoch.counts_of_no_split();
    commit.bytes = epoch.input_bytes();
    commit.times = epoch.times();
    commit
}
