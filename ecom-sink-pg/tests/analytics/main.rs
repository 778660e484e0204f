//! What the views and functions say of a simulated shop of some days and of odd rows besides, compared with values that are
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
mod sales;
mod shoppers;
mod text;
mod world;
