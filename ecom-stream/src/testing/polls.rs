//! Polling a future a limited number of times, and waiting until a number does not change.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Polls `future` at most `max` times, each time it wakes, and then drops it as a crash would. `None` if it did not complete.
pub(super) async fn for_polls<F: Future>(future: F, max: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|context| {
        if polls == max {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == max => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Polls `future` until it completes, and counts the polls.
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

/// Waits until `value` has not changed for a while, or is more than `max`, and returns it.
///
/// On a slow machine the result can only be smaller. So a check that it is at most `max` never fails without reason, but may
/// miss a fault.
pub(super) async fn at_rest(value: impl Fn() -> u64, max: u64) -> u64 {
    const LOOKS: u32 = 20;
    let (mut last, mut same) = (value(), 0);
    while same < LOOKS && last <= max {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let now = value();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}
