//! An input without an end, to measure how much of it is pulled ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::stream;

use crate::contract::{Batch, BatchStream, Mark, Origin, Position, Record, Split, SplitState};

const BYTES_PER_ROW: u64 = 10;

/// A stream that repeats the values for ever, in batches of 64, and the number of records that were taken from it.
pub(super) fn endless<T: Clone + Send + Sync + 'static>(
    values: Vec<T>,
) -> (impl BatchStream<T> + 'static, Arc<AtomicU64>) {
    const ROWS: u64 = 64;
    let taken = Arc::new(AtomicU64::new(0));
    let counter = taken.clone();
    let split = Split::new("script", "endless");
    let batches = stream::unfold(values.into_iter().cycle(), move |mut values| {
        let (split, counter) = (split.clone(), counter.clone());
        async move {
            tokio::task::yield_now().await;
            let before = counter.fetch_add(ROWS, Ordering::SeqCst);
            let records = values
                .by_ref()
                .take(ROWS as usize)
                .zip(before..)
                .map(|(value, at)| Record {
                    value,
                    origin: Some(Origin {
                        split: split.clone(),
                        record: at + 1,
                        byte_offset: at,
                        raw: Bytes::new(),
                    }),
                });
            let mut batch = Batch {
                records: records.collect(),
                bytes: (ROWS * BYTES_PER_ROW) as usize,
                positions: vec![Position {
                    split: split.clone(),
                    offset: before + ROWS,
                    record: before + ROWS,
                    state: SplitState::Open,
                    mark: Mark::NONE,
                }],
                ..Batch::default()
            };
            batch.count_of(&split).read = ROWS;
            Some((Ok(batch), values))
        }
    });
    (batches, taken)
}
