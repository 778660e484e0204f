//! Sinks that break the contract.

use std::any::Any;
use std::collections::VecDeque;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_stream::{stream, try_stream};
use ecom_stream::memory::MemorySink;
use ecom_stream::testing::{self, Store};
use ecom_stream::{Batch, BatchStream, Checkpoint, Commit, EmptyLedger, Mark, Result, Sink, Topology};
use futures::{Stream, StreamExt, TryStreamExt};

use crate::transforms::pulls_ahead;
use crate::{Batches, breaks, failure};

/// In which way the sink is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    FailsToWrite,
    SameEpoch,
    SkipsAnEpoch,
    PositionAhead,
    HalfABatch,
    WrongCounts,
    LosesTheLast,
    LosesMarks,
    KnowsNothing,
    RecordsBeforePositions,
    PositionsBeforeRecords,
    TellsBeforeItStores,
    SwallowsErrors,
    PullsAhead,
    PullsAheadOfTheStore,
    KnowsAndStoresNothing,
}

#[derive(Debug, Clone)]
struct Target {
    memory: MemorySink<i64>,
    fault: Fault,
    stalled: Arc<AtomicBool>,
    epoch: Arc<AtomicU64>,
}

fn target(fault: Fault) -> Target {
    Target {
        memory: MemorySink::new("test"),
        fault,
        stalled: Arc::default(),
        epoch: Arc::default(),
    }
}

struct BrokenSink(Target);

impl Store for Target {
    type Item = i64;
    type Sink = BrokenSink;

    fn sink(&self) -> BrokenSink {
        BrokenSink(self.clone())
    }

    async fn contents(&self) -> Vec<i64> {
        self.memory.values()
    }

    async fn rejects(&self) -> Option<u64> {
        Some(self.memory.rejects().len() as u64)
    }

    async fn stall(&self) -> Option<Box<dyn Any>> {
        struct Stalled(Arc<AtomicBool>);
        impl Drop for Stalled {
            fn drop(&mut self) {
                self.0.store(false, Ordering::SeqCst);
            }
        }
        self.stalled.store(true, Ordering::SeqCst);
        Some(Box::new(Stalled(self.stalled.clone())))
    }
}

impl Target {
    async fn put(&self, batch: Batch<i64>) -> Option<Commit> {
        while self.stalled.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        let batch = futures::stream::iter([Ok(batch)]);
        let commits: Vec<Commit> = self.memory.clone().commit(batch).try_collect().await.unwrap();
        let mut commit = commits.into_iter().next()?;
        commit.epoch = self.epoch.load(Ordering::SeqCst) + 1;
        Some(commit)
    }
}

impl Sink<i64> for BrokenSink {
    async fn ledger(&mut self, topology: &Topology) -> Result<Checkpoint> {
        match self.0.fault {
            Fault::KnowsNothing | Fault::KnowsAndStoresNothing => Ok(Arc::new(EmptyLedger::new("test"))),
            _ => self.0.memory.ledger(topology).await,
        }
    }

    fn commit(self, input: impl BatchStream<i64> + 'static) -> impl Stream<Item = Result<Commit>> + Send {
        let target = self.0;
        let input = match target.fault {
            Fault::PullsAhead => pulls_ahead(input.boxed()),
            Fault::PullsAheadOfTheStore => pulls_ahead_while_polled(input.boxed(), target.stalled.clone()),
            Fault::SwallowsErrors => input.take_while(|batch| ready(batch.is_ok())).boxed(),
            _ => input.boxed(),
        };
        try_stream! {
            let mut held = None;
            for await batch in input {
                let mut batch = batch?;
                let mut told = None;
                let positions = batch.positions.clone();
                match target.fault {
                    Fault::FailsToWrite => Err(failure())?,
                    Fault::LosesTheLast => match held.replace(batch) {
                        Some(before) => batch = before,
                        None => continue,
                    },
                    Fault::LosesMarks => {
                        batch.positions.iter_mut().for_each(|position| position.mark = Mark::NONE);
                    }
                    Fault::HalfABatch => {
                        let half = Batch::new(batch.records.split_off(batch.records.len() / 2));
                        told = target.put(half).await;
                        tokio::task::yield_now().await;
                    }
                    Fault::RecordsBeforePositions => {
                        let records = Batch::new(std::mem::take(&mut batch.records)).with_rejects(std::mem::take(&mut batch.rejects)).with_counts(std::mem::take(&mut batch.counts));
                        told = target.put(records).await;
                        tokio::task::yield_now().await;
                    }
                    Fault::PositionsBeforeRecords => {
                        let positions = Batch::new(Vec::new()).with_positions(batch.positions.clone()).with_state(batch.state.clone());
                        target.put(positions).await;
                        tokio::task::yield_now().await;
                    }
                    Fault::TellsBeforeItStores | Fault::KnowsAndStoresNothing => {
                        let (records, counts) = (std::mem::take(&mut batch.records), batch.counts.clone());
                        let commit = target.put(batch).await;
                        if let Some(mut commit) = commit {
                            commit.counts.stored = records.len() as u64;
                            target.epoch.store(commit.epoch, Ordering::SeqCst);
                            commit.counts.read = counts.iter().map(|count| count.read).sum();
                            yield commit;
                        }
                        if target.fault == Fault::TellsBeforeItStores {
                            let records = Batch::new(records);
                            target.put(records).await;
                        }
                        continue;
                    }
                    _ => {}
                }
                let Some(mut commit) = target.put(batch).await else { continue };
                if let Some(told) = told {
                    commit.counts += told.counts;
                }
                target.epoch.store(commit.epoch, Ordering::SeqCst);
                match target.fault {
                    Fault::LosesMarks => commit.positions = positions,
                    Fault::SameEpoch => commit.epoch = 1,
                    Fault::SkipsAnEpoch => commit.epoch *= 2,
                    Fault::PositionAhead => commit.positions.iter_mut().for_each(|position| position.record += 1),
                    Fault::WrongCounts => commit.counts.stored += 1,
                    _ => {}
                }
                yield commit;
            }
        }
    }
}

/// As [`pulls_ahead`], but only while what comes out of it is polled and the store is stalled.
fn pulls_ahead_while_polled(mut batches: Batches, stalled: Arc<AtomicBool>) -> Batches {
    stream! {
        let mut waiting = VecDeque::new();
        while let Some(batch) = batches.next().await {
            waiting.push_back(batch);
            while !stalled.load(Ordering::SeqCst) && let Some(batch) = waiting.pop_front() {
                yield batch;
            }
        }
        for batch in waiting {
            yield batch;
        }
    }
    .boxed()
}

async fn sink(fault: Fault) {
    testing::sink(async || target(fault), 0..40).seed(1).check().await;
}

#[tokio::test]
async fn sinks_with_wrong_commits_are_found() {
    sink(Fault::None).await;
    breaks("it works without an error", sink(Fault::FailsToWrite)).await;
    breaks("epochs are consecutive", sink(Fault::SameEpoch)).await;
    breaks("epochs are consecutive", sink(Fault::SkipsAnEpoch)).await;
    let law = "a commit stands for whole batches of the input, in order";
    breaks(law, sink(Fault::PositionAhead)).await;
    breaks("commits count what became of every record", sink(Fault::WrongCounts)).await;
    breaks("when the input ends, all of it is committed", sink(Fault::LosesTheLast)).await;
    breaks("an error of the input is passed on", sink(Fault::SwallowsErrors)).await;
}

#[tokio::test]
async fn sinks_with_a_wrong_ledger_are_found() {
    let law = "the ledger gives back what was committed, unchanged";
    breaks(law, sink(Fault::KnowsNothing)).await;
    breaks(law, sink(Fault::LosesMarks)).await;
    const ONCE: &str = "the contents are exactly what the ledger covers";
    breaks(ONCE, sink(Fault::HalfABatch)).await;
    breaks(ONCE, sink(Fault::RecordsBeforePositions)).await;
    breaks(ONCE, sink(Fault::PositionsBeforeRecords)).await;
    breaks(ONCE, sink(Fault::TellsBeforeItStores)).await;
    let memory = async || MemorySink::new("test");
    let check = testing::sink(memory, 0..40).has_identity().check();
    breaks("what is stored already is counted as a duplicate", check).await;
    let forgetful = |fault| {
        testing::sink(async move || target(fault), 0..40)
            .remembers_nothing()
            .seed(1)
    };
    forgetful(Fault::KnowsNothing).check().await;
    let law = "the contents are a prefix of the input with all that was committed";
    breaks(law, forgetful(Fault::KnowsAndStoresNothing).check()).await;
}

#[tokio::test]
async fn sinks_that_pull_without_a_bound_are_found() {
    breaks("what waits in memory is bounded", sink(Fault::PullsAhead)).await;
    breaks("what waits in memory is bounded", sink(Fault::PullsAheadOfTheStore)).await;
}
