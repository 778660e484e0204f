//! Finds duplicates by id and by content.

use super::events::Row;

/// Identifies an event, and its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fingerprint {
    pub(super) id: u64,
    pub(super) content: u64,
    pub(super) index: u32,
}

/// The number of events that came more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeats {
    /// Events that are equal to an earlier one.
    pub(super) exact: usize,
    /// Events that have the id of an earlier one, but other content.
    pub(super) of_id: usize,
}

impl Fingerprint {
    /// Removes rows that are equal to an earlier row.
    pub(super) fn drop_duplicates(mut fingerprints: Vec<Self>, rows: &mut Vec<Row>) -> Repeats {
        fingerprints.sort_unstable();
        let mut duplicates = Vec::new();
        let mut of_id = 0;
        for pair in fingerprints.windows(2) {
            let (before, this) = (pair[0], pair[1]);
            if before.id == this.id {
                match before.content == this.content {
                    true => duplicates.push(this.index),
                    false => of_id += 1,
                }
            }
        }
        drop(fingerprints);
        duplicates.sort_unstable();
        let mut next = duplicates.iter().peekable();
        let mut index = 0;
        rows.retain(|_| {
            let is_duplicate = next.next_if_eq(&&index).is_some();
            index += 1;
            !is_duplicate
        });
        Repeats {
            exact: duplicates.len(),
            of_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::event_ref::EventRef;
    use crate::profile::fixtures::{measure, view};

    fn with_id(event_id: u128, seen: EventRef<'_>) -> EventRef<'_> {
        EventRef {
            event_id: Some(event_id),
            ..seen
        }
    }

    #[test]
    fn only_exact_duplicates_are_removed() {
        let event = with_id(1, view(0, "u", "s", "p"));
        let profile = measure([
            event,
            with_id(2, view(0, "u", "s", "p")),
            EventRef {
                cents: Some(1),
                ..event
            },
            event,
            EventRef {
                micros: event.micros + 1,
                ..event
            },
            event,
        ]);
        assert_eq!(profile.volume.events, 4);
        assert_eq!(
            (profile.flaws.duplicate_share, profile.flaws.repeated_id_share),
            (2.0 / 6.0, 2.0 / 4.0)
        );
    }

    #[test]
    fn the_first_of_equal_rows_stays() {
        let [early, late] = [0, 9].map(|seconds| view(seconds, "u", "s", "p"));
        let arrival = measure([early, late, early]).arrival;
        assert_eq!(arrival.late_share, 0.0);
    }

    #[test]
    fn without_ids_the_content_is_compared() {
        let profile = measure([view(0, "u", "s", "p"), view(0, "u", "s", "p"), view(0, "u", "s", "q")]);
        assert_eq!((profile.volume.events, profile.flaws.duplicate_share), (2, 1.0 / 3.0));
        assert_eq!(profile.flaws.repeated_id_share, 0.0);
    }
}
