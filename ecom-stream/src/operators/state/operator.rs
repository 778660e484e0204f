//! What all operators with state have in common: load, process, save.

use std::sync::Arc;

use async_stream::try_stream;
use futures::{StreamExt, TryStreamExt};

use super::entry::Changes;
use crate::contract::{Batch, BatchStream, Checkpoint, Origin, Position, Record, Refusal, Reject, Result, StateChange};

/// An operator with state, without the stream around it; [`run`] puts that.
pub(crate) trait Operator<In>: Send {
    /// What comes out.
    type Out: Send + 'static;

    /// The version of the format of its entries.
    const FORMAT: u16;

    /// Checks how it was configured, before anything is read.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Takes in an entry of its state, in no particular order.
    fn load(&mut self, entry: &StateChange) -> Result<()>;

    /// Called once all entries are there.
    fn loaded(&mut self) -> Result<()> {
        Ok(())
    }

    /// Processes the records of a batch, one by one: what it does must not depend on which of them are in one batch.
    fn process(&mut self, records: Vec<Record<In>>, positions: &[Position], out: &mut Output<Self::Out>);

    /// Writes what changed since it was called last.
    fn save(&mut self, changes: &mut Changes<'_>) -> Result<()>;

    /// The input has ended for ever: what waits for more comes out.
    fn end(&mut self, out: &mut Output<Self::Out>);
}

/// What an operator gives out for a batch.
#[derive(Debug)]
pub(crate) struct Output<O> {
    batch: Batch<O>,
}

impl<O> Output<O> {
    pub(crate) fn new() -> Self {
        Self {
            batch: Batch::default(),
        }
    }

    pub(crate) fn reserve(&mut self, records: usize) {
        self.batch.records.reserve(records);
    }

    pub(crate) fn push(&mut self, value: O, origin: Option<Origin>) {
        self.batch.records.push(Record { value, origin });
    }

    pub(crate) fn reject(&mut self, origin: Option<Origin>, refusal: Refusal) {
        self.batch.rejects.push(Reject::new(origin, refusal));
    }

    pub(crate) fn filter(&mut self, origin: Option<Origin>) {
        if let Some(origin) = origin {
            self.batch.count_of(&origin.split).filtered += 1;
        }
    }
}

/// The stream of an operator.
pub(crate) fn run<In, O>(
    mut operator: O,
    name: Arc<str>,
    input: impl BatchStream<In> + 'static,
    from: Checkpoint,
) -> impl BatchStream<O::Out>
where
    In: Send + 'static,
    O: Operator<In>,
{
    try_stream! {
        operator.check()?;
        {
            let mut entries = from.state(&name);
            while let Some(entry) = entries.try_next().await? {
                operator.load(&entry)?;
            }
        }
        operator.loaded()?;
        let mut input = std::pin::pin!(input);
        while let Some(batch) = input.next().await {
            let mut batch = batch?;
            let records = std::mem::take(&mut batch.records);
            let mut out = Output { batch: retyped(batch) };
            let positions = std::mem::take(&mut out.batch.positions);
            operator.process(records, &positions, &mut out);
            out.batch.positions = positions;
            operator.save(&mut Changes::new(&name, O::FORMAT, &mut out.batch.state))?;
            yield out.batch;
        }
        if from.is_last_run() {
            let mut out = Output::new();
            operator.end(&mut out);
            operator.save(&mut Changes::new(&name, O::FORMAT, &mut out.batch.state))?;
            if !out.batch.is_empty() {
                yield out.batch;
            }
        }
    }
}

/// The batch without its records, which have been taken.
fn retyped<T, U>(batch: Batch<T>) -> Batch<U> {
    Batch {
        records: Vec::new(),
        rejects: batch.rejects,
        state: batch.state,
        positions: batch.positions,
        counts: batch.counts,
        bytes: batch.bytes,
        times: batch.times,
    }
}
