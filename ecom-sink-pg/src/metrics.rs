//! What the sink tells to the facade [`metrics`](https://docs.rs/metrics), behind the feature `metrics`. [`describe`] gives the
//! names their help texts, for whoever installs a recorder; the pipeline's own are in [`ecom_stream::metrics`].

use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::action::Action;

const FAILURES: &str = "ecom_postgres_failures_total";
const LEADS: &str = "ecom_leading";

/// Describes every metric of this crate to the recorder that is installed.
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
    leads(false);
}

pub(crate) fn failed(action: Action) {
    counter!(FAILURES, "action" => word(action)).increment(1);
}

pub(crate) fn leads(leads: bool) {
    gauge!(LEADS).set(if leads { 1.0 } else { 0.0 });
}

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
