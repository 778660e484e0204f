//! Properties of operators with state, tested with random inputs.
//!
//! - The batches make no difference, nor does an interruption after any commit: results, rejects and state are the same.
//! - The results are those of a plain loop over the whole input.
//!
//! `run` runs a transform over an input in different batches and with interruptions. `event` makes random events. The other
//! modules test one kind of operator each. `PROPTEST_CASES=10000 cargo test -p ecom-stream --test operator_properties` tests
//! more cases and takes longer.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod event;
mod run;

mod event_time;
mod joins;
mod keyed;
mod windows;
