//! [`Operator`]: what all operators with state have in common, and [`run`], which makes a stream of one.

use std::sync::Arc;

use async_stream::try_stream;
use futures::{StreamExt, TryStreamExt};

use super::entry::Changes;
use crate::contract::{Batch, BatchStream, Checkpoint, Origin, Position, Record, Refusal, Reject, Result, StateChange};

/// An operator with state, without the stream around it.
///
/// [`run`] calls the methods in this order: `check`; `load` for each entry; `loaded`; then for each batch `process` and `save`;
/// at the end of the last run `end` and `save`. After an error no further method is called.
///
/// Two rules make the result independent of how the input was cut into batches and runs:
///
/// - `process` goes record by record. It must not depend on which records share a batch, nor on a clock.
/// - `load` of everything that `save` has written gives an operator that goes on exactly like the one that wrote it.
pub(crate) trait Operator<In>: Send {
    /// The type of its results.
    type Out: Send + 'static;

    /// The version of the format of its state entries. It is raised when an older entry would be misread.
    const FORMAT: u16;

    /// Checks the settings, before anything is read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the operator can't work with its settings.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Loads an entry of the state. Entries come in no particular order.
    fn load(&mut self, entry: &StateChange) -> Result<()>;

    /// Called once, after all entries are loaded.
    fn loaded(&mut self) -> Result<()> {
        Ok(())
    }

    /// Processes the records of a batch one by one. `positions` are those of the batch, and tell which splits it finishes.
    fn process(&mut self, records: Vec<Record<In>>, positions: &[Position], out: &mut Output<Self::Out>);

    /// Writes the entries that have changed since the last call.
    fn save(&mut self, changes: &mut Changes<'_>) -> Result<()>;

    /// Called when the input of the last run has ended: emits what was waiting for more records.
    fn end(&mut self, out: &mut Output<Self::Out>);
}

/// Collects what an operator emits for a batch: results, rejects and the count of filtered records.
#[derive(Debug)]
pub(crate) struct Output<O> {
    batch: Batch<O>,
}

impl<O> Output<O> {
    /// An empty batch, for results that belong to no batch of the input.
    pub(crate) fn new() -> Self {
        Self {
            batch: Batch::default(),
        }
    }

    /// Reserves memory for that many more results.
    pub(crate) fn reserve(&mut self, records: usize) {
        self.batch.records.reserve(records);
    }

    /// Emits a result. `origin` is that of the record that it is made of; `None` if it is made of several.
    pub(crate) fn push(&mut self, value: O, origin: Option<Origin>) {
        self.batch.records.push(Record { value, origin });
    }

    /// Rejects the record with that origin.
    pub(crate) fn reject(&mut self, origin: Option<Origin>, refusal: Refusal) {
        self.batch.rejects.push(Reject::new(origin, refusal));
    }

    /// Counts the record with that origin as filtered.
    pub(crate) fn filter(&mut self, origin: Option<Origin>) {
        if let Some(origin) = origin {
            self.batch.count_of(&origin.split).filtered += 1;
        }
    }
}

/// Runs an operator over a stream of batches. It finds its state under `name` in the ledger `from`.
///
/// Each batch of the input becomes one batch of the output, with the state changes that it caused. Rejects, counts, positions
/// and state changes of other operators are passed on. The stream may be dropped at any time: everything that is not in a
/// committed batch is computed again from the ledger.
///
/// # Errors
///
/// The errors of the input, of the ledger, and of the operator. Any of them ends the stream.
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

/// The same batch with another type of records. Its records have been taken out before.
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
