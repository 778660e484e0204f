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
#![doc = include_str!("operators/from_sql.md")]
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

mod connectors;
mod contract;
#[cfg(not(feature = "crash-points"))]
mod crash;
#[cfg(feature = "crash-points")]
#[doc(hidden)]
pub mod crash;
mod csv;
mod event;
pub mod operators;
mod run;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tutorial;

// Types of theirs stand in the signatures here.
#[doc(no_inline)]
pub use {bytes, csv_async, futures, time, uuid};

pub use connectors::csv_dir::{AfterCommit, AtomicFile, CsvDirAck, CsvDirSink, CsvDirSource, FileNames};
pub use connectors::memory;
pub use contract::{
    Batch, BatchStream, Checkpoint, Commit, Committed, Counts, Either, EmptyLedger, Error, ErrorKind, Ledger,
    MAX_FINISHED_CANDIDATES, MAX_UNFINISHED_CANDIDATES, Mark, Origin, Position, Reason, Record, Refusal, Reject,
    Result, Sink, Source, SourceInfo, Split, SplitCandidates, SplitCount, SplitState, StageDurations, StateChange,
    Times, Topology, Transform,
};
pub use csv::{Columns, CsvLimits, CsvRecord, Dialect, FieldCountError, Header, ToCsv, read_csv};
pub use event::{
    Event, EventType, Field, Ids, Mapping, MappingBuilder, Price, PriceError, Rules, TimeDescription, TimeFormat,
    TimeFormatError, TimePattern, TimeZone, check, id_of_origin, id_of_text, infer,
};
pub use operators::aggregate;
pub use operators::{BoxSource, SourceExt, Timed, Timestamp};
#[cfg(feature = "metrics")]
pub use run::metrics;
pub use run::{
    ABORTED, Activity, EndedSplits, Lag, Pipeline, Progress, ProgressReceiver, QueryProgress, QueueLimits,
    RowsPerSecond, Summary, stop_signal,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;

#[cfg(doctest)]
#[doc = include_str!("../../docs/extending.md")]
struct ExtendingExamples;
