//! Collects batches into epochs while other epochs are written.

use std::collections::{BTreeSet, VecDeque};
use std::pin::pin;
use std::sync::Arc;

use async_stream::try_stream;
use ecom_stream::{Batch, BatchStream, Commit, Error, ErrorKind, Result, crash_point};
use futures::future::{Either, FutureExt, pending, select};
use futures::stream::{Stream, StreamExt};
use time::{Date, OffsetDateTime};
use tokio::task::JoinHandle;

use super::writer::{Common, Writer};
use crate::epoch::{Epoch, EpochLimits, FULL_AT_DAYS, InFlight, state_bytes};
use crate::lead::{Claim, Leader, SplitIds, is_over};
use crate::tables::{FoundTable, Tables};

/// So many rows wait to be encoded: then they need less memory.
const MAX_TAKEN_ROWS: usize = 2_048;

/// Writes the batches on so many connections, and yields the commits, in order.
///
/// An epoch is closed when it is full, or when no input waits, and then a connection must be free.
pub(crate) fn commit<T: Send, W: Tables<T>>(
    input: impl BatchStream<T>,
    claim: Claim,
    writes: W,
    tables: Arc<[FoundTable]>,
    limits: EpochLimits,
    connections: usize,
) -> impl Stream<Item = Result<Commit>> + Send {
    try_stream! {
        let mut input = pin!(input.fuse());
        let mut gathering = Gathering::new(&claim, writes, limits);
        let common = Arc::new(Common::new(claim.leader, claim.epoch, tables, connections));
        let mut idle: Vec<Writer> = (0..connections).map(|_| Writer::new(common.clone())).collect();
        let mut open: VecDeque<Open> = VecDeque::new();
        let mut ended = None;
        loop {
            while ended.is_none() && gathering.has_room() {
                match input.next().now_or_never() {
                    Some(Some(Ok(batch))) => gathering.take(batch),
                    Some(Some(Err(err))) => ended = Some(Err(err)),
                    Some(None) => ended = Some(Ok(())),
                    None => break,
                }
            }
            // While no connection is free there is time to take more of them at once.
            if !idle.is_empty() || !gathering.has_room() {
                gathering.add_taken().await?;
            }
            if !gathering.epoch.is_empty() && let Some(writer) = idle.pop() {
                open.push_back(Open::start(writer, gathering.next_epoch()));
                continue;
            }
            if open.is_empty() && let Some(end) = ended.take() {
                end?;
                break;
            }
            let has_room = ended.is_none() && gathering.has_room();
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
                    gathering.committed(&commit);
                    crash_point!("commit.before_yield");
                    yield commit;
                }
                Either::Right(Some(Ok(batch))) => gathering.take(batch),
                Either::Right(Some(Err(err))) => ended = Some(Err(err)),
                Either::Right(None) => ended = Some(Ok(())),
            }
        }
    }
}

/// An epoch on its way, in a task of its own: it goes on while the next one is gathered, and must not wait for that.
/// Dropping it gives it up, as a crash would.
struct Open(JoinHandle<(Writer, Result<Commit>)>);

impl Open {
    fn start(mut writer: Writer, mut epoch: Epoch) -> Self {
        Self(tokio::spawn(async move {
            let commit = writer.write(&mut epoch).await;
            (writer, commit)
        }))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The epoch that batches are added to, and what is known of the rows before them.
struct Gathering<T, W> {
    epoch: Epoch,
    writes: W,
    /// Batches that are still to be added.
    taken: Vec<Batch<T>>,
    taken_rows: usize,
    /// Those of their state.
    taken_bytes: usize,
    /// Of the epoch and of those.
    days: BTreeSet<Date>,
    ids: SplitIds,
    in_flight: InFlight,
    leader: Arc<Leader>,
    limits: EpochLimits,
}

impl<T, W: Tables<T>> Gathering<T, W> {
    fn new(claim: &Claim, writes: W, limits: EpochLimits) -> Self {
        Self {
            epoch: Epoch::new(claim.epoch + 1, limits),
            writes,
            taken: Vec::new(),
            taken_rows: 0,
            taken_bytes: 0,
            days: BTreeSet::new(),
            ids: SplitIds::new(claim.last_split_id),
            in_flight: InFlight::default(),
            leader: claim.leader.clone(),
            limits,
        }
    }

    /// Whether another batch belongs to this epoch, and may be taken now.
    fn has_room(&self) -> bool {
        let most = MAX_TAKEN_ROWS.min(self.limits.max_rows.saturating_sub(self.epoch.all_rows()).max(1));
        let most_bytes = self.limits.max_bytes.saturating_sub(self.epoch.bytes()).max(1);
        !self.epoch.is_full()
            && self.taken_rows < most
            && self.taken_bytes < most_bytes
            && self.taken.len() < MAX_TAKEN_ROWS
            && self.days.len() < FULL_AT_DAYS
    }

    fn take(&mut self, batch: Batch<T>) {
        let days = batch.records.iter().filter_map(|record| self.writes.day(&record.value));
        self.days.extend(days);
        self.taken_rows += batch.records.len() + batch.rejects.len();
        self.taken_bytes += batch.state.iter().map(state_bytes).sum::<usize>();
        self.taken.push(batch);
    }

    /// Adds to the epoch what was taken.
    async fn add_taken(&mut self) -> Result<()> {
        if self.taken.is_empty() {
            return Ok(());
        }
        crash_point!("gather.begun");
        let unknown = self.ids.unknown_in(&self.taken);
        self.ids.prepare(unknown, &self.leader).await?;
        let (now, number) = (OffsetDateTime::now_utc(), self.epoch.number());
        for batch in self.taken.drain(..) {
            let split_id = |split: &_| self.ids.get(split, number);
            self.epoch
                .add(batch, &mut self.writes, split_id, &mut self.in_flight, now);
            crash_point!("gather.added");
        }
        (self.taken_rows, self.taken_bytes) = (0, 0);
        Ok(())
    }

    /// Closes the epoch and begins another.
    fn next_epoch(&mut self) -> Epoch {
        self.days.clear();
        let next = self.epoch.next();
        std::mem::replace(&mut self.epoch, next)
    }

    /// Forgets what the table knows from now on.
    fn committed(&mut self, commit: &Commit) {
        let epoch = commit.epoch as i64;
        self.in_flight.leave(epoch);
        for position in commit.positions.iter().filter(|position| is_over(&position.state)) {
            self.ids.forget(&position.split);
        }
        self.ids.shrink(epoch);
    }
}
