//! The order in which events arrive.

use serde::{Deserialize, Serialize};

use super::events::{Events, SECOND, share};
use super::statistics::SummaryStatistics;

/// The order in which events arrive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Arrival {
    /// The share of events that arrive after an event with a later time.
    pub late_share: f64,
    /// The share of events that happened in the same second as the event that arrived before them.
    pub same_second_share: f64,
    /// By how many seconds late events are behind the latest event that arrived before them; `None` if no event is
    /// late.
    pub late_by_seconds: Option<SummaryStatistics>,
}

impl Arrival {
    pub(super) fn of(events: &Events) -> Self {
        let mut delays = Vec::new();
        let mut latest = i64::MIN;
        for row in &events.rows {
            if row.micros < latest {
                delays.push((latest - row.micros) as f64 / SECOND as f64);
            }
            latest = latest.max(row.micros);
        }
        let second = |micros: i64| micros.div_euclid(SECOND);
        let pairs = events.rows.windows(2);
        let same_second = pairs
            .filter(|pair| second(pair[0].micros) == second(pair[1].micros))
            .count();
        Self {
            late_share: share(delays.len(), events.rows.len()),
            same_second_share: share(same_second, events.rows.len().saturating_sub(1)),
            late_by_seconds: SummaryStatistics::of(&mut delays),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::event_ref::EventRef;
    use crate::profile::fixtures::{measure, view};

    #[test]
    fn an_event_after_a_later_one_is_late() {
        let mut events: Vec<EventRef<'_>> = [0, 60, 30, 50, 61].map(|second| view(second, "u", "s", "p")).to_vec();
        events.insert(
            1,
            EventRef {
                micros: events[0].micros + 999_999,
                ..events[0]
            },
        );
        let arrival = measure(events).arrival;
        assert_eq!((arrival.late_share, arrival.same_second_share), (2.0 / 6.0, 1.0 / 5.0));
        let late_by = arrival.late_by_seconds.unwrap();
        assert_eq!((late_by.mean, late_by.max), (20.0, 30.0));
    }

    #[test]
    fn events_in_order_are_not_late() {
        let arrival = measure([view(0, "u", "s", "p"), view(5, "u", "s", "p")]).arrival;
        assert_eq!((arrival.late_share, arrival.late_by_seconds), (0.0, None));
    }
}
