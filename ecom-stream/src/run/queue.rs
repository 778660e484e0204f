//! The bounded queue between the reading task and the sink.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_stream::stream;
use futures::{Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use crate::contract::{Batch, BatchStream, Result, StageDurations};
use crate::crash_point;

/// How much may wait in the queue between the source and the sink.
///
/// When a limit is reached, the source is not polled until the sink takes a batch. A batch that is larger than a limit passes
/// when the queue is empty.
///
/// ```
/// use ecom_stream::QueueLimits;
///
/// let limits = QueueLimits::default().max_rows(100_000);
/// assert_eq!((limits.max_rows, limits.max_bytes), (100_000, 1 << 20));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueLimits {
    /// Records and rejects. The default is 4,096.
    pub max_rows: u32,
    /// Bytes of input, as [`Batch::bytes`] counts them. The default is 1 MiB.
    pub max_bytes: u32,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            max_rows: 4_096,
            max_bytes: 1 << 20,
        }
    }
}

impl QueueLimits {
    /// The same limits with another [`max_rows`](field@Self::max_rows).
    #[must_use]
    pub fn max_rows(mut self, rows: u32) -> Self {
        self.max_rows = rows;
        self
    }

    /// The same limits with another [`max_bytes`](field@Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, bytes: u32) -> Self {
        self.max_bytes = bytes;
        self
    }
}

/// A batch in the queue, or the error that ends the input.
struct Queued<T> {
    item: Result<Batch<T>>,
    since: Instant,
    // Dropped, and so released, when the batch leaves the queue.
    room: [OwnedSemaphorePermit; 2],
}

/// Sends `input` into the queue until it ends, or until the receiving end is dropped. Measures the time in `times`.
pub(crate) async fn fill<T: Send>(input: impl BatchStream<T>, queue: QueueSender<T>, times: Arc<ReaderTimes>) {
    let mut input = std::pin::pin!(input);
    loop {
        let item = tokio::select! {
            biased;
            () = queue.sender.closed() => return,
            item = times.next(&mut input) => item,
        };
        let Some(item) = item else { return };
        let since = Instant::now();
        if queue.send(item).await.is_none() {
            return;
        }
        add(&times.backpressure, since.elapsed());
        crash_point!("queue.filled");
    }
}

/// Where the time of the reading task goes, in nanoseconds: waiting for input, reading and transforming, waiting for room.
#[derive(Debug, Default)]
pub(crate) struct ReaderTimes {
    input: AtomicU64,
    read: AtomicU64,
    backpressure: AtomicU64,
}

fn add(nanoseconds: &AtomicU64, time: Duration) {
    nanoseconds.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
}

impl ReaderTimes {
    /// The next item. The time inside a poll counts as reading, and the time between two polls as waiting for input.
    fn next<S: Stream + Unpin>(&self, input: &mut S) -> impl Future<Output = Option<S::Item>> {
        let mut waits_since = None;
        poll_fn(move |context| {
            let began = Instant::now();
            if let Some(since) = waits_since.take() {
                add(&self.input, began - since);
            }
            let polled = input.poll_next_unpin(context);
            let ended = Instant::now();
            add(&self.read, ended - began);
            if polled.is_pending() {
                waits_since = Some(ended);
            }
            polled
        })
    }

    /// The durations so far. A wait counts when it is over.
    pub(crate) fn stages(&self) -> StageDurations {
        let mut stages = StageDurations::default();
        for (stage, nanoseconds) in [
            (StageDurations::INPUT, &self.input),
            (StageDurations::READ, &self.read),
            (StageDurations::BACKPRESSURE, &self.backpressure),
        ] {
            stages.add(stage, Duration::from_nanos(nanoseconds.load(Ordering::Relaxed)));
        }
        stages
    }
}

/// The sending end of the queue.
pub(crate) struct QueueSender<T> {
    limits: QueueLimits,
    rows: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    sender: mpsc::UnboundedSender<Queued<T>>,
}

impl<T> QueueSender<T> {
    /// Waits for room, and sends; `None` if the receiving end is dropped.
    async fn send(&self, item: Result<Batch<T>>) -> Option<()> {
        let (rows, bytes) = match &item {
            Ok(batch) => (batch.records.len() + batch.rejects.len(), batch.bytes),
            Err(_) => (0, 0),
        };
        // An empty batch counts as one row, so that the number of batches is bounded too.
        let rows = (rows as u64).clamp(1, self.limits.max_rows.into()) as u32;
        let bytes = (bytes as u64).clamp(1, self.limits.max_bytes.into()) as u32;
        tokio::select! {
            () = self.sender.closed() => None,
            room = async {
                let rows = self.rows.clone().acquire_many_owned(rows).await.ok()?;
                let bytes = self.bytes.clone().acquire_many_owned(bytes).await.ok()?;
                Some([rows, bytes])
            } => self.sender.send(Queued { item, since: Instant::now(), room: room? }).ok(),
        }
    }
}

/// Makes a queue: the sending end, and the stream of the batches that come out.
pub(crate) fn queue<T: Send + 'static>(limits: QueueLimits) -> (QueueSender<T>, impl BatchStream<T> + 'static) {
    // The channel is unbounded, since the semaphores bound the rows and bytes in it.
    let (sender, mut receiver) = mpsc::unbounded_channel::<Queued<T>>();
    let limits = QueueLimits {
        max_rows: limits.max_rows.max(1),
        max_bytes: limits.max_bytes.max(1),
    };
    let sender = QueueSender {
        limits,
        rows: Arc::new(Semaphore::new(limits.max_rows as usize)),
        bytes: Arc::new(Semaphore::new(limits.max_bytes as usize)),
        sender,
    };
    let receiver = stream! {
        while let Some(Queued { mut item, since, room }) = receiver.recv().await {
            if let Ok(batch) = &mut item {
                batch.times.longest_queued = since.elapsed();
            }
            // The reader can go on while the sink works on this batch.
            drop(room);
            yield item;
        }
    };
    (sender, receiver)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::stream;

    use super::*;
    use crate::contract::Record;

    fn batch(rows: usize, bytes: usize) -> Result<Batch<usize>> {
        let records = (0..rows).map(|value| Record { value, origin: None }).collect();
        Ok(Batch {
            records,
            bytes,
            ..Batch::default()
        })
    }

    async fn taken_unread(limits: QueueLimits, rows: usize, bytes: usize) -> usize {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = taken.clone();
        let input = stream::repeat_with(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            batch(rows, bytes)
        });
        let (sender, receiver) = queue(limits);
        let filler = tokio::spawn(fill(input, sender, Arc::default()));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        drop(receiver);
        filler.await.unwrap();
        taken.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn rows_and_bytes_in_the_queue_are_bounded() {
        let limits = QueueLimits {
            max_rows: 100,
            max_bytes: 1_000,
        };
        // The batch that waits for room has been taken from the input too.
        assert_eq!(taken_unread(limits, 10, 1).await, 11);
        assert_eq!(taken_unread(limits, 1, 500).await, 3);
        assert_eq!(taken_unread(limits, 0, 0).await, 101);
        assert_eq!(taken_unread(limits, 5_000, 5_000).await, 2);
    }

    #[tokio::test]
    async fn batches_leave_the_queue_in_order() {
        let (sender, receiver) = queue(QueueLimits {
            max_rows: 3,
            max_bytes: 1,
        });
        let filler = tokio::spawn(fill(stream::iter((0..50).map(|n| batch(n, n))), sender, Arc::default()));
        let sizes: Vec<usize> = receiver.map(|item| item.unwrap().bytes).collect().await;
        assert_eq!(sizes, (0..50).collect::<Vec<_>>());
        filler.await.unwrap();
    }
}
