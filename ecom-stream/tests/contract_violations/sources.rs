//! Sources that break the contract.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ecom_stream::memory::MemorySource;
use ecom_stream::{
    Batch, BatchStream, Checkpoint, Commit, Committed, EmptyLedger, Position, Result, Source, SourceExt, Split,
    Topology, testing,
};
use futures::{StreamExt, TryStreamExt};

use crate::{Batches, breaks, failure};

/// Twenty numbers, in batches of 3, after something was done to the stream.
struct Broken<A> {
    name: String,
    check: Result<()>,
    open: Box<dyn FnOnce(Batches, Checkpoint) -> Batches + Send>,
    ack: A,
}

impl<A: Committed> Source for Broken<A> {
    type Item = i64;
    type Ack = A;

    fn describe(&self, topology: &mut Topology) {
        topology.add_source(&*self.name, "memory");
    }

    fn check(&self) -> Result<()> {
        match &self.check {
            Ok(()) => Ok(()),
            Err(_) => Err(failure()),
        }
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<i64>, A) {
        let numbers = MemorySource::new("numbers", (0..20).collect()).max_batch_rows(3);
        let (batches, ()) = numbers.open(from.clone());
        ((self.open)(batches.boxed(), from), self.ack)
    }
}

fn broken(open: impl FnOnce(Batches) -> Batches + Send + 'static) -> Broken<()> {
    Broken {
        name: "numbers".into(),
        check: Ok(()),
        open: Box::new(|batches, _| open(batches)),
        ack: (),
    }
}

/// The batches after `change`, which is told how many came before in the run.
fn changed(change: fn(usize, &mut Batch<i64>)) -> Broken<()> {
    let change = move |(at, batch): (usize, Result<Batch<i64>>)| {
        batch.map(|mut batch| {
            change(at, &mut batch);
            batch
        })
    };
    broken(move |batches| batches.enumerate().map(change).boxed())
}

#[tokio::test]
async fn sources_with_changing_names_are_found() {
    const LAW: &str = "names are unique and the same in every run";
    let runs = AtomicUsize::new(0);
    let another_each_time = || Broken {
        name: format!("run {}", runs.fetch_add(1, Ordering::SeqCst)),
        ..changed(|_, _| ())
    };
    breaks(LAW, testing::source(another_each_time).check()).await;
    let other = || Broken {
        name: "other".into(),
        ..changed(|_, _| ())
    };
    breaks(LAW, testing::source(other).check()).await;
    breaks(
        LAW,
        testing::source(|| changed(|_, _| ()).merge(changed(|_, _| ()))).check(),
    )
    .await;
}

#[tokio::test]
async fn sources_with_wrong_batches_are_found() {
    let failing = || broken(|batches| batches.take(2).chain(futures::stream::iter([Err(failure())])).boxed());
    breaks("the data can be read to their end", testing::source(failing).check()).await;
    let without_origin = || changed(|_, batch| batch.records[0].origin = None);
    breaks(
        "every record says where it was read",
        testing::source(without_origin).check(),
    )
    .await;
    let twice = || {
        changed(|_, batch| {
            batch.records.push(batch.records[0].clone());
            batch.counts[0].read += 1;
        })
    };
    let law = "the records of a split are numbered in order, each once";
    breaks(law, testing::source(twice).check()).await;
    let back = || {
        changed(|at, batch| {
            if at == 2 {
                batch.positions[0].record = 1;
            }
        })
    };
    breaks("positions never go back", testing::source(back).check()).await;
    let uncounted = || changed(|_, batch| batch.counts[0].read += 1);
    breaks(
        "read = records + rejects + filtered",
        testing::source(uncounted).check(),
    )
    .await;

    const COVERS: &str = "a position leaves with or after every record up to it";
    let ahead = || changed(|_, batch| batch.positions[0].record += 1);
    breaks(COVERS, testing::source(ahead).check()).await;
    let offset_ahead = || changed(|_, batch| batch.positions[0].offset += 1);
    breaks(COVERS, testing::source(offset_ahead).check()).await;
}

#[tokio::test]
async fn sources_that_resume_wrongly_are_found() {
    const LAW: &str = "resuming yields exactly what follows";
    let by_run = || changed(|at, batch| batch.records[0].value = at as i64);
    breaks(LAW, testing::source(by_run).check()).await;
    let position_too_late = || {
        changed(|at, batch| {
            if at % 2 == 0 {
                batch.positions.clear();
            }
        })
    };
    breaks(LAW, testing::source(position_too_late).check()).await;
    let from_the_start = || Broken {
        open: Box::new(|_, _| {
            let all = MemorySource::new("numbers", (0..20).collect()).max_batch_rows(3);
            all.open(Arc::new(EmptyLedger::new("test"))).0.boxed()
        }),
        ..changed(|_, _| ())
    };
    breaks(LAW, testing::source(from_the_start).check()).await;
}

#[tokio::test]
async fn a_source_that_hides_the_size_of_its_batches_is_found() {
    let hiding = || {
        changed(|_, batch| {
            for record in &mut batch.records {
                record.origin.as_mut().unwrap().raw = Bytes::from_static(&[b'x'; 1_000]);
            }
            batch.bytes = 1;
        })
    };
    breaks("what waits in memory is bounded", testing::source(hiding).check()).await;
}

/// Puts what it is told of into a list.
struct Log {
    acted_on: Arc<Mutex<Vec<Position>>>,
    of_others_too: bool,
    once: bool,
}

impl Committed for Log {
    async fn committed(&mut self, commit: &Commit) -> Result<()> {
        let mut acted_on = self.acted_on.lock().unwrap();
        for position in &commit.positions {
            if self.once && acted_on.contains(position) {
                return Err(failure());
            }
            if position.split.source() == "numbers" {
                acted_on.push(position.clone());
            } else if self.of_others_too {
                let split = Split::new("numbers", position.split.path());
                let mut of_split = position.clone();
                of_split.split = split;
                acted_on.push(of_split);
            }
        }
        Ok(())
    }
}

/// Checks numbers with an ack that puts positions into a list, which `make` changes somehow.
async fn acknowledging(make: impl Fn(&Arc<Mutex<Vec<Position>>>, Log) -> Broken<Log>) {
    let acted_on = Arc::new(Mutex::new(Vec::new()));
    let (list, look) = (acted_on.clone(), acted_on.clone());
    let log = || {
        acted_on.lock().unwrap().clear();
        Log {
            acted_on: acted_on.clone(),
            of_others_too: false,
            once: false,
        }
    };
    testing::source(|| make(&list, log()))
        .acted_on(move |position| look.lock().unwrap().contains(position))
        .check()
        .await;
}

fn with_ack(ack: Log) -> Broken<Log> {
    Broken {
        name: "numbers".into(),
        check: Ok(()),
        open: Box::new(|batches, _| batches),
        ack,
    }
}

#[tokio::test]
async fn sources_that_act_at_the_wrong_time_are_found() {
    acknowledging(|_, ack| with_ack(ack)).await;
    let early = |list: &Arc<Mutex<Vec<Position>>>, ack| {
        let list = list.clone();
        let act = move |batch: &Batch<i64>| list.lock().unwrap().extend(batch.positions.clone());
        Broken {
            open: Box::new(move |batches, _| batches.inspect_ok(act).boxed()),
            ..with_ack(ack)
        }
    };
    breaks("nothing is acted on before its commit", acknowledging(early)).await;
    let lazy = |_: &_, ack| {
        with_ack(Log {
            acted_on: Arc::default(),
            ..ack
        })
    };
    breaks("what was committed is acted on", acknowledging(lazy)).await;
    let greedy = |_: &_, ack| {
        with_ack(Log {
            of_others_too: true,
            ..ack
        })
    };
    breaks("positions of other sources are ignored", acknowledging(greedy)).await;
    let once = |_: &_, ack| with_ack(Log { once: true, ..ack });
    breaks("a commit that is reported twice does no harm", acknowledging(once)).await;
}

#[tokio::test]
async fn a_source_that_changes_its_input_is_found() {
    let reads = Arc::new(AtomicUsize::new(0));
    let counter = reads.clone();
    let writing = move || {
        let counter = counter.clone();
        broken(move |batches| {
            counter.fetch_add(1, Ordering::SeqCst);
            batches
        })
    };
    let check = testing::source(writing)
        .outside(move || reads.load(Ordering::SeqCst))
        .check();
    breaks("checking and reading change nothing outside", check).await;
    let refusing = || Broken {
        check: Err(failure()),
        ..changed(|_, _| ())
    };
    breaks("the data can be read to their end", testing::source(refusing).check()).await;
}
