//! The loop that collects batches into epochs while other epochs are written.
//!
//! It does three things at once: it takes batches from the input, it encodes them into the epoch
//! that is being filled, and it waits for the oldest epoch that is being written. It never waits
//! for the database while it could take input, except when the epoch is full and no connection is
//! free: that is the back pressure of the sink.

use std::collections::{BTreeSet, VecDeque};
use std::pin::pin;
use std::sync::Arc;

use async_stream::try_stream;
use ecom_stream::{Batch, BatchStream, Commit, Error, ErrorKind, Result, crash_point};
use futures::future::{Either, FutureExt, pending, select};
use futures::stream::{Stream, StreamExt};
use time::{Date, OffsetDateTime};
use tokio::task::JoinHandle;

use super::writer::{Writer, WriterShared};
use crate::epoch::{Epoch, EpochLimits, MAX_DAYS, UncommittedKeys, kept_bytes, state_bytes};
use crate::lead::{Claim, Leader, SplitIds, is_ended};
use crate::tables::{CheckedTable, Tables};

/// At most this many rows wait to be encoded. Encoded they need less memory.
const MAX_QUEUED_ROWS: usize = 2_048;

/// Writes the batches on that many connections, and yields the commits in order.
///
/// An epoch is closed when it is full, or when no input is waiting and a connection is free.
///
/// # Cancel safety
///
/// When the stream is dropped, the tasks that write epochs are aborted. What was committed stays;
/// the rest is rolled back, as after a crash.
pub(crate) fn commit<T: Send, W: Tables<T>>(
    input: impl BatchStream<T>,
    claim: Claim,
    writes: W,
    tables: Arc<[CheckedTable]>,
    limits: EpochLimits,
    connections: usize,
) -> impl Stream<Item = Result<Commit>> + Send {
    try_stream! {
        let mut input = pin!(input.fuse());
        let mut builder = EpochBuilder::new(&claim, writes, limits);
        let shared = Arc::new(WriterShared::new(claim.leader, claim.epoch, tables, connections));
        let mut idle: Vec<Writer> = (0..connections).map(|_| Writer::new(shared.clone())).collect();
        let mut open: VecDeque<EpochTask> = VecDeque::new();
        let mut ended = None;
        loop {
            while ended.is_none() && builder.has_room() {
                match input.next().now_or_never() {
                    Some(Some(Ok(batch))) => builder.push(batch),
                    Some(Some(Err(err))) => ended = Some(Err(err)),
                    Some(None) => ended = Some(Ok(())),
                    None => break,
                }
            }
            // While no connection is free there is time to take more of them at once.
            if !idle.is_empty() || !builder.has_room() {
                builder.encode_queued().await?;
            }
            if !builder.epoch.is_empty() && let Some(writer) = idle.pop() {
                open.push_back(EpochTask::start(writer, builder.next_epoch()));
                continue;
            }
            if open.is_empty() && let Some(end) = ended.take() {
                end?;
                break;
            }
            let has_room = ended.is_none() && builder.has_room();
            let next = async {
                match has_room {
                    true => input.next().await,
                    false => pending().await,
                }
            };
            let oldest = async {
                match open.front_mut() {
                    Some(oldest) => (&mut oldest.0).await,
                    None => pending().await,
                }
            };
            let came = match select(pin!(oldest), pin!(next)).await {
                Either::Left((written, _)) => Either::Left(written),
                Either::Right((came, _)) => Either::Right(came),
            };
            match came {
                Either::Left(written) => {
                    open.pop_front();
                    let (writer, commit) = written
                        .map_err(|err| Error::new(ErrorKind::Panicked, "writing an epoch panicked").caused_by(err))?;
                    let commit = commit?;
                    idle.push(writer);
                    builder.committed(&commit);
                    crash_point!("commit.before_yield");
                    yield commit;
                }
                Either::Right(Some(Ok(batch))) => builder.push(batch),
                Either::Right(Some(Err(err))) => ended = Some(Err(err)),
                Either::Right(None) => ended = Some(Ok(())),
            }
        }
    }
}

/// An epoch that is being written, in a task of its own, so that it makes progress while the next
/// one is filled. Dropping it aborts the task, as a crash would.
struct EpochTask(JoinHandle<(Writer, Result<Commit>)>);

impl EpochTask {
    /// Starts to write a closed epoch.
    fn start(mut writer: Writer, mut epoch: Epoch) -> Self {
        Self(tokio::spawn(async move {
            let commit = writer.write(&mut epoch).await;
            (writer, commit)
        }))
    }
}

impl Drop for EpochTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The epoch that is being filled, and what is known about rows before it.
struct EpochBuilder<T, W> {
    epoch: Epoch,
    writes: W,
    /// Batches that are not encoded yet.
    queued: Vec<Batch<T>>,
    queued_rows: usize,
    /// The size of their state changes.
    queued_bytes: usize,
    /// The bytes of input that they keep in memory.
    queued_kept_bytes: usize,
    /// The days of the rows of the epoch and of the queued batches.
    days: BTreeSet<Date>,
    ids: SplitIds,
    uncommitted: UncommittedKeys,
    leader: Arc<Leader>,
    limits: EpochLimits,
}

impl<T, W: Tables<T>> EpochBuilder<T, W> {
    fn new(claim: &Claim, writes: W, limits: EpochLimits) -> Self {
        Self {
            epoch: Epoch::new(claim.epoch + 1, limits),
            writes,
            queued: Vec::new(),
            queued_rows: 0,
            queued_bytes: 0,
            queued_kept_bytes: 0,
            days: BTreeSet::new(),
            ids: SplitIds::new(claim.last_split_id),
            uncommitted: UncommittedKeys::default(),
            leader: claim.leader.clone(),
            limits,
        }
    }

    /// Whether another batch may be taken for this epoch now.
    fn has_room(&self) -> bool {
        let most = MAX_QUEUED_ROWS.min(self.limits.max_rows.saturating_sub(self.epoch.all_rows()).max(1));
        let most_bytes = self.limits.max_bytes.saturating_sub(self.epoch.bytes()).max(1);
        let most_kept = self
            .limits
            .max_kept_bytes()
            .saturating_sub(self.epoch.kept_bytes())
            .max(1);
        !self.epoch.is_full()
            && self.queued_kept_bytes < most_kept
            && self.queued_rows < most
            && self.queued_bytes < most_bytes
            && self.queued.len() < MAX_QUEUED_ROWS
            && self.days.len() < MAX_DAYS
    }

    /// Queues a batch.
    fn push(&mut self, batch: Batch<T>) {
        let days = batch.records.iter().filter_map(|record| self.writes.day(&record.value));
        self.days.extend(days);
        self.queued_rows += batch.records.len() + batch.rejects.len();
        self.queued_bytes += batch.state.iter().map(state_bytes).sum::<usize>();
        self.queued_kept_bytes += kept_bytes(&batch);
        self.queued.push(batch);
    }

    /// Assigns numbers to new splits, and encodes the queued batches into the epoch.
    async fn encode_queued(&mut self) -> Result<()> {
        if self.queued.is_empty() {
            return Ok(());
        }
        crash_point!("gather.begun");
        let unknown = self.ids.unknown_in(&self.queued);
        self.ids.prepare(unknown, &self.leader).await?;
        let (now, number) = (OffsetDateTime::now_utc(), self.epoch.number());
        for batch in self.queued.drain(..) {
            let split_id = |split: &_| self.ids.get(split, number);
            self.epoch
                .add(batch, &mut self.writes, split_id, &mut self.uncommitted, now);
            crash_point!("gather.added");
        }
        (self.queued_rows, self.queued_bytes, self.queued_kept_bytes) = (0, 0, 0);
        Ok(())
    }

    /// Closes the epoch, and begins the next one.
    fn next_epoch(&mut self) -> Epoch {
        self.days.clear();
        let next = self.epoch.next();
        std::mem::replace(&mut self.epoch, next)
    }

    /// Forgets keys and splits that are found in the database from now on.
    fn committed(&mut self, commit: &Commit) {
        let epoch = commit.epoch as i64;
        self.uncommitted.remove_epoch(epoch);
        for position in commit.positions.iter().filter(|position| is_ended(&position.state)) {
            self.ids.forget(&position.split);
        }
        self.ids.shrink(epoch);
    }
}
