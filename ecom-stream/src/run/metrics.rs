//! Metrics of a run, for the facade [`metrics`](https://docs.rs/metrics). Needs the feature `metrics`.
//!
//! A run updates them at each commit, so that they cost nothing per record. Install a recorder, such as an exporter for
//! Prometheus, and then call [`describe`].
//!
//! | metric | kind | labels | value |
//! |---|---|---|---|
//! | `ecom_commits_total` | counter | | commits |
//! | `ecom_records_read_total` | counter | | records that were read and committed |
//! | `ecom_records_total` | counter | `outcome`: stored, duplicate, rejected, filtered | the same records, by outcome |
//! | `ecom_input_bytes_total` | counter | | bytes of input, about |
//! | `ecom_splits_total` | counter | `state`: finished, damaged, set_aside | files that came to an end |
//! | `ecom_commit_records` | histogram | | records per commit |
//! | `ecom_commit_stage_seconds` | histogram | `stage` | how long each stage of a commit took |
//! | `ecom_lag_seconds` | gauge | `of`: newest_event, oldest_input | the [`Lag`](crate::Lag) at the last commit with such data |
//! | `ecom_last_commit_timestamp_seconds` | gauge | | when the last commit was, in seconds since 1970 |

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

/// Gives the installed recorder the help text and the unit of every metric of this crate. It also sets the counters to zero, so
/// that they are reported before the first commit.
pub fn describe() {
    describe_counter!(COMMITS, "Commits.");
    describe_counter!(READ, "Records that were read and committed, whatever their outcome.");
    describe_counter!(
        RECORDS,
        "Records that were committed, by outcome: stored, duplicate, rejected or filtered."
    );
    describe_counter!(BYTES, Unit::Bytes, "Bytes of input that were committed, about.");
    describe_counter!(
        SPLITS,
        "Files that came to an end, by state: finished, damaged or set_aside."
    );
    describe_histogram!(COMMIT_RECORDS, "Records per commit.");
    describe_histogram!(STAGE, Unit::Seconds, "Duration of each stage of a commit.");
    describe_gauge!(
        LAG,
        Unit::Seconds,
        "Time since the newest event happened, or since the oldest input was written, at the last commit with such data."
    );
    describe_gauge!(
        LAST_COMMIT,
        Unit::Seconds,
        "Time of the last commit, in seconds since 1970."
    );
    count(&Commit::new(0), 0);
}

/// Updates all metrics for a commit.
pub(crate) fn committed(commit: &Commit, lag: &Lag, at: time::OffsetDateTime) {
    count(commit, 1);
    for position in &commit.positions {
        if !matches!(position.state, SplitState::Open | SplitState::Withdrawn) {
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

/// Updates the counters. With an empty commit and `commits` 0 it only creates them.
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
