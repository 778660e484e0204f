//! Driving a future for a while.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Polls `future` at most so often, whenever it wakes, then drops it.
pub(super) async fn for_polls<F: Future>(future: F, most: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|context| {
        if polls == most {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == most => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Drives `future` to its end and says how many polls it took.
pub(super) async fn counting_polls<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = pin!(future);
    let mut polls = 0;
    let output = poll_fn(|context| {
        polls += 1;
        future.as_mut().poll(context)
    })
    .await;
    (output, polls)
}

/// What `value` is once it has rested, or is more than `most`.
///
/// A machine that is slow can only make it less, so a check on it may miss something but never fails without reason.
pub(super) async fn at_rest(value: impl Fn() -> u64, most: u64) -> u64 {
    const LOOKS: u32 = 20;
    let (mut last, mut same) = (value(), 0);
    while same < LOOKS && last <= most {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let now = value();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}
