//! Implementations that break the contract, one law each, to prove that the checks find them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod pipelines;
mod sinks;
mod sources;
mod transforms;

use std::panic::AssertUnwindSafe;

use ecom_stream::{Batch, Error, ErrorKind, Result};
use futures::FutureExt;
use futures::stream::BoxStream;

pub(crate) type Batches = BoxStream<'static, Result<Batch<i64>>>;

/// Runs a check that must find the law broken.
pub(crate) async fn breaks(law: &str, check: impl Future<Output = ()>) {
    let panic = AssertUnwindSafe(check).catch_unwind().await;
    let panic = panic.expect_err(&format!("nothing breaks the law: {law}"));
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(
        message.starts_with(&format!("broken law: {law}\n")),
        "not {law:?} but {message}"
    );
}

pub(crate) fn failure() -> Error {
    Error::new(ErrorKind::Source, "broken on purpose")
}
