//! A source and a sink of your own: a counter, and a file that also stores the position. Runs are dropped midway, as by a crash, and each
//! number is stored once.
//!
//! Run it with `cargo run --example own_source_and_sink`. `docs/extending.md` explains the traits, and how to check implementations.

#![allow(clippy::print_stdout, reason = "this is a program")]

use std::fs::{OpenOptions, read_to_string};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use ecom_stream::bytes::Bytes;
use ecom_stream::memory::MemoryLedger;
use ecom_stream::{
    Batch, BatchStream, Checkpoint, Commit, Error, Origin, Position, Record, Result, Sink, Source, SourceExt, Split,
    SplitState, Topology,
};
use futures::Stream;
use serde_json::{Value, json};
use tokio::time::sleep;

/// A source that counts from 1 to `last`, one number per millisecond.
struct Counter {
    last: u64,
}

impl Source for Counter {
    type Item = u64;
    type Ack = ();

    fn describe(&self, topology: &mut Topology) {
        topology.add_source("counter", "from 1 on");
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<u64>, ()) {
        let stream = try_stream! {
            let split = Split::new("counter", "numbers");
            let known = from.positions(std::slice::from_ref(&split)).await?;
            let done = known.first().map_or(0, |position| position.record);
            for value in done + 1..=self.last {
                sleep(Duration::from_millis(1)).await;
                let origin = Origin::new(split.clone(), value, value, Bytes::new());
                let state = if value == self.last { SplitState::Finished } else { SplitState::Open };
                let mut batch = Batch::new(vec![Record::new(value, Some(origin))]).with_positions(vec![Position::new(split.clone(), value, value).with_state(state)]).with_bytes(size_of::<u64>());
                batch.count_of(&split).read = 1;
                yield batch;
            }
        };
        (stream, ())
    }
}

/// A sink that appends a line of JSON for each batch: its numbers, and the positions up to which they were read.
struct Lines {
    path: PathBuf,
    epoch: u64,
}

impl Lines {
    /// The complete lines. A crash may have left an incomplete one behind the last line end.
    fn complete(&self) -> Vec<Value> {
        let text = read_to_string(&self.path).unwrap_or_default();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        text[..whole]
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

impl Sink<u64> for Lines {
    async fn ledger(&mut self, _: &Topology) -> Result<Checkpoint> {
        let ledger = MemoryLedger::new("lines");
        let lines = self.complete();
        self.epoch = lines.len() as u64;
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&self.path, text).map_err(|err| Error::io("write", &self.path, err))?;
        for mut line in lines {
            let positions: Vec<Position> = serde_json::from_value(line["positions"].take()).unwrap_or_default();
            ledger.commit(&positions, &[]);
        }
        let known = ledger.all_positions();
        println!(
            "starts after number {}",
            known.first().map_or(0, |position| position.record)
        );
        Ok(Arc::new(ledger))
    }

    fn commit(mut self, input: impl BatchStream<u64> + 'static) -> impl Stream<Item = Result<Commit>> + Send {
        try_stream! {
            let cannot_write = |err| Error::io("write", &self.path, err);
            let mut file = OpenOptions::new().append(true).open(&self.path).map_err(cannot_write)?;
            for await batch in input {
                let batch = batch?;
                let numbers: Vec<u64> = batch.records.iter().map(|record| record.value).collect();
                let line = json!({ "numbers": numbers, "positions": batch.positions });
                file.write_all(format!("{line}\n").as_bytes()).map_err(cannot_write)?;
                self.epoch += 1;
                yield Commit::of(self.epoch, &batch);
            }
        }
    }
}

const LAST: u64 = 200;

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let lines = || Lines {
        path: dir.path().join("numbers.jsonl"),
        epoch: 0,
    };
    let mut runs = 0_u64;
    loop {
        runs += 1;
        let pipeline = Counter { last: LAST }.to(lines());
        let mut progress = pipeline.subscribe();
        // Each run gets a little further than the last one before it is dropped.
        let far_enough = async {
            while progress
                .next()
                .await
                .is_some_and(|progress| progress.counts.stored < 50 * runs)
            {}
        };
        tokio::select! {
            summary = pipeline.run() => {
                println!("reached the end: {} numbers in this run", summary?.counts.stored);
                break;
            }
            () = far_enough => {}
        }
        // An incomplete line, as a crash during a write would leave it.
        OpenOptions::new()
            .append(true)
            .open(lines().path)?
            .write_all(br#"{"numbers":[1,"#)?;
        println!("dropped the run");
    }

    let numbers = lines()
        .complete()
        .into_iter()
        .flat_map(|line| line["numbers"].as_array().cloned().unwrap_or_default());
    let numbers: Vec<Value> = numbers.collect();
    if !numbers.iter().map(Value::as_u64).eq((1..=LAST).map(Some)) || runs < 2 {
        return Err(format!("{} numbers after {runs} runs", numbers.len()).into());
    }
    println!("{runs} runs, {} numbers, each stored once and in order", numbers.len());
    Ok(())
}
