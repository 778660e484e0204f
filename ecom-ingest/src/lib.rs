//! The parts that the program `ecom-ingest` adds to a pipeline: progress, an HTTP page, systemd
//! and the log.
//!
//! [`Service`] runs a pipeline with all of them. Each can also be used by itself:
//!
//! | item | what it does |
//! |---|---|
//! | [`progress`] | shows progress on a terminal, in the log, or as JSON |
//! | [`RefusedFiles`] | warns of files of which every record is rejected |
//! | [`Page`] | serves metrics, health and progress over HTTP |
//! | [`Health`] | says whether a run is alive, and whether it is ready |
//! | [`systemd`] | reports readiness and status, and feeds the watchdog |
//! | [`logging`] | starts the log on standard error |
//! | [`mod@format`], [`output`], [`terminal`] | text for people, standard output, and what a terminal can show |
//!
//! ```text
//! Pipeline ──► subscribe() ──► progress ──► terminal, log, JSON
//!    │                    └──► Page ──► /progress, /metrics
//!    └── activity() ──┐
//! PgSink ─ instance_state() ──┴─► Health ──► Page (/livez, /readyz), systemd
//! ```
//!
//! The pipeline itself is made of [`ecom_stream`] and [`ecom_sink_pg`], which need none of this.

pub mod format;
mod health;
mod http;
pub mod logging;
pub mod output;
pub mod progress;
mod refused_files;
mod service;
pub mod systemd;
pub mod terminal;

pub use health::Health;
pub use http::Page;
pub use refused_files::RefusedFiles;
pub use service::Service;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
