//! [`FlatMap`]: turns each record into any number of others.

use futures::TryStreamExt;

use crate::contract::{Batch, BatchStream, Checkpoint, Record, Transform};

/// Turns each record into any number of others; see [`SourceExt::flat_map`](crate::SourceExt::flat_map).
#[derive(Debug, Clone)]
pub struct FlatMap<F>(F);

impl<F> FlatMap<F> {
    /// Turns each record into all values that `f` returns for it, in their order.
    pub fn new(f: F) -> Self {
        Self(f)
    }
}

impl<F, In, Out> Transform<In> for FlatMap<F>
where
    F: FnMut(In) -> Out + Send,
    In: Send + 'static,
    Out: IntoIterator<Item: Send + 'static>,
{
    type Out = Out::Item;

    fn apply(mut self, input: impl BatchStream<In> + 'static, _: Checkpoint) -> impl BatchStream<Out::Item> {
        input.map_ok(move |batch| {
            let mut out = Batch {
                records: Vec::with_capacity(batch.records.len()),
                rejects: batch.rejects,
                state: batch.state,
                positions: batch.positions,
                counts: batch.counts,
                bytes: batch.bytes,
                times: batch.times,
            };
            for Record { value, origin } in batch.records {
                let before = out.records.len();
                let values = self.0(value).into_iter();
                out.records.extend(values.map(|value| Record {
                    value,
                    origin: origin.clone(),
                }));
                if let Some(origin) = origin.filter(|_| out.records.len() == before) {
                    out.count_of(&origin.split).filtered += 1;
                }
            }
            out
        })
    }
}
