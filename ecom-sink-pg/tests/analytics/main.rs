//! The results of the views and functions, for some days of a simulated shop and for unusual rows, compared with values that are
//! computed from the same events here.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests too"
)]

#[path = "../fixture/mod.rs"]
mod fixture;
mod operations;
mod products;
mod pruning;
mod refunds;
mod sales;
mod shoppers;
mod text;
mod world;
