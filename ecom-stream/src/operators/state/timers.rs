//! Timers: which keys are to be looked at when the watermark gets to a time, without a scan of all keys.

use std::collections::BTreeSet;

/// Keys by the time at which to look at them.
///
/// A timer may come too early: whoever looks then sets it again. So a key whose time moves on with each record costs
/// nothing per record.
#[derive(Debug)]
pub(crate) struct Timers<K>(BTreeSet<(i64, K)>);

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<K: Ord> Timers<K> {
    /// Sets a timer.
    pub(crate) fn set(&mut self, at: i64, key: K) {
        self.0.insert((at, key));
    }

    /// Takes the first timer, by time and then by key, if it is due at `now`.
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
