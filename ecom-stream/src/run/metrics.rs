//! What a run tells to the facade [`metrics`](https://docs.rs/metrics), behind the feature `metrics`: at each commit, so that a
//! row costs nothing. [`describe`] gives the names their help texts, for whoever installs a recorder.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::lag::Lag;
use crate::contract::{Commit, SplitState};

const COMMITS: &str = "ecom_commits_total";
const READ: &str = "ecom_records_read_total";
const RECORDS: &str = "ecom_records_total";
const BYTES: &str = "ecom_input_bytes_total";
const SPLITS: &str = "ecom_splits_total";
const COMMIT_RECORDS: &str = "ecom_commit_records";
const STAGE: &str = "ecom_commit_stage_seconds";
const LAG: &str = "ecom_lag_seconds";
const LAST_COMMIT: &str = "ecom_last_commit_timestamp_seconds";

/// Describes every metric of this crate, with its unit, to the recorder that is installed, and sets the counters to zero, so
/// that they are there before anything happens.
pub fn describe() {
    describe_counter!(COMMITS, "Transactions that were committed.");
    describe_counter!(
        READ,
        "Records that were read, and for which it is settled what became of them."
    );
    describe_counter!(RECORDS, "What became of them: stored, duplicate, rejected or filtered.");
    describe_counter!(BYTES, Unit::Bytes, "About how many bytes of input that was.");
    describe_counter!(SPLITS, "Files that came to an end: finished, damaged or set_aside.");
    describe_histogram!(COMMIT_RECORDS, "Records a commit.");
    describe_histogram!(STAGE, Unit::Seconds, "What the time of a commit went into, by stage.");
    describe_gauge!(
        LAG,
        Unit::Seconds,
        "How far the last commit with such data was behind: since its newest event happened, or its oldest input was written."
    );
    describe_gauge!(
        LAST_COMMIT,
        Unit::Seconds,
        "When the last commit was, in seconds since 1970."
    );
    count(&Commit::new(0), 0);
}

/// Tells of a commit.
pub(crate) fn committed(commit: &Commit, lag: &Lag, at: time::OffsetDateTime) {
    count(commit, 1);
    for position in &commit.positions {
        if position.state != SplitState::Open {
            counter!(SPLITS, "state" => position.state.as_str()).increment(1);
        }
    }
    histogram!(COMMIT_RECORDS).record(commit.counts.read as f64);
    for (stage, time) in commit.stages.iter() {
        histogram!(STAGE, "stage" => stage).record(time);
    }
    for (of, lag) in [("newest_event", lag.newest_event), ("oldest_input", lag.oldest_input)] {
        if let Some(lag) = lag {
            gauge!(LAG, "of" => of).set(lag);
        }
    }
    gauge!(LAST_COMMIT).set(at.unix_timestamp() as f64);
}

fn count(commit: &Commit, commits: u64) {
    let counts = &commit.counts;
    counter!(COMMITS).increment(commits);
    counter!(READ).increment(counts.read);
    for (outcome, records) in [
        ("stored", counts.stored),
        ("duplicate", counts.duplicates),
        ("rejected", counts.rejected),
        ("filtered", counts.filtered),
    ] {
        counter!(RECORDS, "outcome" => outcome).increment(records);
    }
    counter!(BYTES).increment(commit.bytes);
    for state in ["finished", "damaged", "set_aside"] {
        counter!(SPLITS, "state" => state).increment(0);
    }
}
