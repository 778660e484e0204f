//! What the program `ecom-ingest` puts around a pipeline: its progress on a terminal, in the log or as JSON; a page with
//! metrics, health and progress over HTTP; readiness and a watchdog for systemd; the log.
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
