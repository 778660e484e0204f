//! The PostgreSQL sink of [`ecom_stream`]: exactly once, by binary COPY, with the ledger in the same transaction.
//!
//! [`PgSink`] is the sink, [`Table`] a table of your own for rows of any type, [`Maintenance`] the upkeep of the events' table
//! beside it, [`Console`] what an operator asks and does. The [`tutorial`] goes from rows of your own to several tables in one
//! transaction.
//!
//! # Features
//!
//! None is on by default. The program `ecom-ingest` is in the crate of that name.
//!
//! | feature | |
//! |---|---|
//! | `metrics` | counters, gauges and histograms by the facade [`metrics`](https://docs.rs/metrics), at each commit |
//! | `server` | the module of that name: a private PostgreSQL server from installed programs, for try-outs and tests |

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
pub use maintenance::{Expired, IndexProfile, Layout, Maintenance, PartitionWidth, Retention, Settled};
pub use sink::PgSink;
pub use tables::{Decimal, Events, Merge, Table, Tables, ToColumn};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
