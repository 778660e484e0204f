//! What the program `ecom-ingest` adds to a pipeline: progress, an HTTP page, systemd and the log.
//!
//! Progress is shown on a terminal, in the log or as JSON. The HTTP page has metrics, health and progress. systemd is told of
//! readiness and status, and its watchdog is fed.
//!
//! [`Service`] runs a pipeline with all of these. Each is here by itself too: [`progress`], [`Page`], [`Health`], [`systemd`],
//! [`logging`]. The pipeline itself is made of [`ecom_stream`] and [`ecom_sink_pg`], which need none of this.

pub mod format;
mod health;
mod http;
pub mod logging;
pub mod output;
pub mod progress;
mod service;
pub mod systemd;

pub use health::Health;
pub use http::Page;
pub use service::Service;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
