//! The PostgreSQL sink of [`ecom_stream`]: exactly once, by binary COPY, with the ledger in the
//! same transaction.
//!
//! [`PgSink`] is the sink. It stores events in the table `ecom.events`, or rows of any type in a
//! [`Table`] of your own. [`Maintenance`] builds indexes and drops old partitions of
//! `ecom.events`. [`Console`] shows the status of pipelines and retries rejected records. The
//! [`tutorial`] begins with rows of your own and ends with several tables in one transaction.
//!
//! # How it works
//!
//! A pipeline sends batches to the sink. The sink collects them into epochs, copies epochs in
//! parallel, and commits them in order, each in one transaction together with the positions of
//! the source:
//!
//! ```text
//! batches ──► epoch 7 ──► connection A: BEGIN, COPY, wait for 6, write the ledger, COMMIT
//!         ──► epoch 8 ──► connection B: BEGIN, COPY, wait for 7, write the ledger, COMMIT
//!         ──► epoch 9 ──► (being filled)
//! ```
//!
//! So after a crash the database holds a prefix of the input, and the ledger in the same database
//! says where to continue.
//!
//! # The modules
//!
//! They depend on each other in one direction only, from top to bottom:
//!
//! | module | what it does |
//! |---|---|
//! | `console`, `maintenance` | administration while a pipeline runs: status, rejects, indexes, retention |
//! | `sink` | the options of [`PgSink`], and its implementation of [`Sink`](ecom_stream::Sink) |
//! | `write` | writes epochs, retries them, and keeps their order |
//! | `lead` | leader election and the ledger |
//! | `metrics` | counters for the facade `metrics` |
//! | `epoch` | the content of one transaction, encoded as rows |
//! | `tables` | `ecom.events`, and tables of your own |
//! | `schema` | the migrations, and the check that the schema fits |
//! | `connect` | connection settings, TLS, sessions |
//! | `failure` | what to do about an error of the server |
//!
//! `server` stands apart: it starts a private PostgreSQL server for tests.
//!
//! # Features
//!
//! No feature is on by default. The program `ecom-ingest` is in the crate of that name.
//!
//! | feature | |
//! |---|---|
//! | `metrics` | counters, gauges and histograms through the facade [`metrics`](https://docs.rs/metrics), at each commit |
//! | `server` | the module of that name: a private PostgreSQL server from installed programs, for tests and for trying things out |

mod connect;
mod console;
mod epoch;
mod failure;
mod lead;
mod maintenance;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod schema;
#[cfg(feature = "server")]
pub mod server;
mod sink;
mod tables;
pub mod tutorial;
mod write;

// For its `Config` and `Client`.
#[doc(no_inline)]
pub use tokio_postgres;

pub use connect::without_password;
pub use console::{
    Console, DeadLetter, DeadLetterFilter, Exported, ExportedFile, FileCounts, PipelineRunner, PipelineStatus,
    RejectCount, Retried, Status, StillRejected, UnusableFile,
};
pub use epoch::EpochLimits;
pub use lead::{InstanceState, InstanceStateReceiver};
pub use maintenance::{Expired, IndexProfile, Layout, Maintenance, Merged, PartitionWidth, Retention, Settled};
pub use sink::PgSink;
pub use tables::{Decimal, Events, Merge, Table, Tables, ToColumn};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
