//! [`Timers`]: finds the keys that are due when the watermark reaches a time, without a scan of all keys.

use std::collections::BTreeSet;

/// Keys by the time at which they are due, in microseconds of event time.
///
/// The protocol allows a timer to be early, but never late. The caller checks a key that [`take_due`](Self::take_due) returns:
/// if the key is not due after all, the caller sets its timer again. So a key whose time moves on with each record needs no
/// change here for each record. Setting a timer costs O(log n).
///
/// Timers are not part of the state. The operator sets them again when it loads its entries.
#[derive(Debug)]
pub(crate) struct Timers<K>(BTreeSet<(i64, K)>);

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<K: Ord> Timers<K> {
    /// Sets a timer for `key` at the time `at`. A key may have several timers.
    pub(crate) fn set(&mut self, at: i64, key: K) {
        self.0.insert((at, key));
    }

    /// Removes and returns the first timer that is due at `now`, in the order of time and then of key. `None` if none is.
    pub(crate) fn take_due(&mut self, now: i64) -> Option<(i64, K)> {
        if self.0.first()?.0 > now {
            return None;
        }
        self.0.pop_first()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_are_due_in_the_order_of_time_and_key() {
        let mut timers = Timers::default();
        for (at, key) in [(5, "b"), (9, "a"), (5, "a"), (5, "b"), (1, "z")] {
            timers.set(at, key);
        }
        let due: Vec<_> = std::iter::from_fn(|| timers.take_due(5)).collect();
        assert_eq!(due, [(1, "z"), (5, "a"), (5, "b")]);
        assert_eq!(timers.take_due(8), None);
        assert_eq!(timers.take_due(9), Some((9, "a")));
    }
}
