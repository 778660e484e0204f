//! The laws of operators with state, for any input: the batches make no difference, nor does a cut at any commit, state
//! included; and what comes out is what a plain loop over all of the input computes.
//!
//! `PROPTEST_CASES=10000 cargo test -p ecom-stream --test operator_properties` takes longer and looks further.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod event;
mod run;

mod event_time;
mod joins;
mod keyed;
mod windows;
