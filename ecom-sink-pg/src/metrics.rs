//! The metrics of the sink, for the facade [`metrics`](https://docs.rs/metrics), behind the
//! feature `metrics`.
//!
//! | name | kind | label | meaning |
//! |---|---|---|---|
//! | `ecom_postgres_failures_total` | counter | `action` | failed tries to write an epoch, by what was done about them |
//! | `ecom_leading` | gauge | | 1 while this instance leads its pipeline |
//! | `ecom_rejects_total` | counter | `reason` | dead letters, by reason code |
//!
//! [`describe`] registers their help texts with an installed recorder. The metrics of the
//! pipeline itself are in [`ecom_stream::metrics`].

use ecom_stream::Reason;
use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::epoch::DeadLetterRow;
use crate::failure::Action;

const FAILURES: &str = "ecom_postgres_failures_total";
const LEADS: &str = "ecom_leading";
const REJECTS: &str = "ecom_rejects_total";

/// The label of all reasons `sqlstate_…`, that is, of rows that the server rejected. Labels come
/// from a closed set, so that no input can create new time series.
const SQLSTATE: &str = "sqlstate";
/// The label of reasons that are not defined by [`Reason`], such as those of the user's own code.
const OTHER: &str = "other";

/// Describes every metric of this crate to the installed recorder, and sets each to 0, so that
/// all of them are exported from the start.
pub fn describe() {
    describe_counter!(
        FAILURES,
        "Tries to write an epoch that failed, by what was done about it: each was tried again."
    );
    describe_gauge!(
        LEADS,
        "1 while this instance runs the pipeline, 0 while it waits or stands by."
    );
    for action in [
        Action::Retry,
        Action::Pause,
        Action::StartOver,
        Action::LookUpKeys,
        Action::MakePartitions,
        Action::Bisect,
    ] {
        counter!(FAILURES, "action" => word(action)).increment(0);
    }
    describe_counter!(
        REJECTS,
        "Records that were refused and are among the dead letters, by reason."
    );
    for label in Reason::ALL.iter().map(Reason::as_str).chain([SQLSTATE, OTHER]) {
        counter!(REJECTS, "reason" => label).increment(0);
    }
    leads(false);
}

/// Counts a failed try to write an epoch.
pub(crate) fn failed(action: Action) {
    counter!(FAILURES, "action" => word(action)).increment(1);
}

/// Sets whether this instance leads its pipeline.
pub(crate) fn leads(leads: bool) {
    gauge!(LEADS).set(if leads { 1.0 } else { 0.0 });
}

/// Counts the dead letters of an epoch that is durable.
pub(crate) fn refused(letters: &[DeadLetterRow]) {
    for letter in letters {
        counter!(REJECTS, "reason" => label(&letter.reject.refusal.reason)).increment(1);
    }
}

/// The label for a reason, from the closed set.
fn label(reason: &Reason) -> &'static str {
    match Reason::ALL.iter().find(|known| *known == reason) {
        Some(known) => known.as_str(),
        None if reason.as_str().starts_with("sqlstate_") => SQLSTATE,
        None => OTHER,
    }
}

/// The label for an action. These words are part of the metric's interface: never change them.
fn word(action: Action) -> &'static str {
    match action {
        Action::Retry => "retry",
        Action::Pause => "pause",
        Action::StartOver => "start_over",
        Action::LookUpKeys => "look_up_keys",
        Action::MakePartitions => "make_partitions",
        Action::Bisect => "bisect",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_from_a_closed_set() {
        for reason in Reason::ALL {
            assert_eq!(label(reason), reason.as_str());
        }
        assert_eq!(label(&"late".to_owned().into()), "late");
        assert_eq!(label(&"sqlstate_23514".into()), SQLSTATE);
        assert_eq!(label(&"user ada is banned".to_owned().into()), OTHER);
    }
}
