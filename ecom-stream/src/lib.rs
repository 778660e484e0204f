//! Composable sources, transforms and sinks over async streams: event pipelines that lose nothing and double nothing.
//!
//! # The one idea
//!
//! A [`Batch`] carries everything that must become true together: its records, the records that had to be refused, the
//! operator state that changed, and how far the source has read. A [`Sink`] makes batches durable in order, each whole or
//! not at all, in one local transaction. So there is no two-phase commit, no checkpoint file, and no log of our own.
//!
//! A [`Source`] opens a stream of batches, a [`Transform`] turns one into another, a [`Sink`] turns it into a stream of
//! commits. [`SourceExt`] chains them; [`SourceExt::to`] makes the [`Pipeline`] that runs. The [`tutorial`] goes through it step
//! by step, records of your own type included.
//!
//! ```no_run
//! use ecom_stream::{CsvDirSource, Rules, SourceExt, memory::MemorySink, stop_signal};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
//! let summary = CsvDirSource::new("data")
//!     .validate(Rules::default())
//!     .stamp()
//!     .to(MemorySink::new("events"))
//!     .run_until(stop_signal()?)
//!     .await?;
//! println!("{:?}", summary.counts);
//! # Ok(()) }
//! ```
//!
//! # Streaming SQL, as Rust
//!
//! Windows, aggregates, joins and state by key work on any type of record, by event time. Their state lives in the sink, in the
//! same transaction as the records. Revenue per category and minute, from files whose events are late by up to 30 seconds:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use ecom_stream::aggregate::{Count, Sum};
//! use ecom_stream::{CsvDirSource, Event, EventType, Rules, SourceExt, memory::MemorySink, stop_signal};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
//! let cents = |event: &Event| event.price.map(|price| price.cents() * i64::from(event.quantity));
//! CsvDirSource::new("data")
//!     .validate(Rules::default())
//!     .filter(|event| event.event_type == EventType::Purchase)
//!     .event_time(|event: &Event| event.event_time, Duration::from_secs(30))
//!     .key_by(|event: &Event| event.category.clone())
//!     .tumbling(Duration::from_mins(1))
//!     .aggregate((Count, Sum::of(cents)))
//!     .map(|minute| (minute.key, minute.window.start.to_datetime(), minute.value))
//!     .to(MemorySink::new("revenue"))
//!     .run_until(stop_signal()?)
//!     .await?;
//! # Ok(()) }
//! ```
//!
#![doc = include_str!("from_sql.md")]
//!
//! The repository's `examples/` have these at work: revenue per minute, a funnel by sessions, abandoned baskets, attribution,
//! trending products.
//!
//! # Features
//!
//! None is on unless asked for.
//!
//! | feature | |
//! |---|---|
//! | `metrics` | counters, gauges and histograms by the facade [`metrics`](https://docs.rs/metrics), at each commit |
//! | `testing` | the module of that name: checks of the contract for sources, transforms and sinks of your own |
//! | `crash-points` | for the tests of these crates: points at which the program can be made to crash |

mod activity;
pub mod aggregate;
mod batch;
pub mod check;
#[cfg(not(feature = "crash-points"))]
mod crash;
#[cfg(feature = "crash-points")]
#[doc(hidden)]
pub mod crash;
mod csv;
mod csv_dir;
mod either;
mod error;
mod event;
mod event_time;
pub mod infer;
mod join;
mod keyed;
mod ledger;
mod mapping;
pub mod memory;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod operators;
mod pipeline;
mod progress;
mod query_progress;
mod queue;
mod reject;
mod remedy;
mod signal;
mod sink;
mod source;
mod source_ext;
mod split;
mod stages;
mod state;
#[cfg(feature = "testing")]
pub mod testing;
mod times;
mod topology;
mod transform;
pub mod tutorial;
mod window;

// Types of theirs stand in the signatures here.
#[doc(no_inline)]
pub use {bytes, csv_async, time, uuid};

pub use activity::Activity;
pub use batch::{Batch, BatchStream, Origin, Record, SplitCount, StateChange};
pub use csv::{Columns, CsvLimits, CsvRecord, Dialect, FieldCountError, Header, ToCsv, read_csv};

pub use csv_dir::{AfterCommit, CsvDirAck, CsvDirSink, CsvDirSource, FileNames, WholeFile};
pub use either::Either;
pub use error::{Error, ErrorKind, Result};
pub use event::{
    Event, EventType, Price, PriceError, Rules, TimeDescription, TimeFormat, TimeFormatError, TimePattern, TimeZone,
    absent_id, id_of_text,
};
pub use event_time::{Timed, Timestamp};
pub use ledger::{Alike, Checkpoint, EmptyLedger, Ledger, MAX_FINISHED, MAX_UNFINISHED};
pub use mapping::{Field, Ids, Mapping, MappingBuilder};
pub use pipeline::{Pipeline, Summary};
pub use progress::{EndedSplits, Lag, Progress, ProgressReceiver, RowsPerSecond};
pub use query_progress::QueryProgress;
pub use queue::QueueLimits;
pub use reject::{Reason, Reject};
pub use signal::{ABORTED, stop_signal};
pub use sink::{Commit, Counts, Sink};
pub use source::{Committed, Source};
pub use source_ext::SourceExt;
pub use split::{Mark, Position, Refusal, Split, SplitState};
pub use stages::Stages;
pub use times::Times;
pub use topology::{SourceInfo, Topology};
pub use transform::Transform;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;

#[cfg(doctest)]
#[doc = include_str!("../../docs/extending.md")]
struct ExtendingExamples;
