//! Composable sources, transforms and sinks over async streams, for event pipelines that process every record exactly once.
//!
//! # How it works
//!
//! A [`Batch`] carries everything that must be committed together: its records, the rejected records, the changes of operator
//! state, and how far the source has read. A [`Sink`] makes batches durable in order, each whole or not at all, in one local
//! transaction. So there is no two-phase commit, no checkpoint file and no separate log.
//!
//! ```text
//! Source ──batches──► Transform ──batches──► … ──batches──► Sink ──commits──► Pipeline: progress, acknowledgement
//!   ▲                     ▲                                   │
//!   └── positions ────────┴────── state ───────────────── Ledger: what the sink knows to be durable
//! ```
//!
//! A [`Source`] opens a stream of batches, a [`Transform`] turns one stream of batches into another, and a [`Sink`] turns it into a
//! stream of commits. [`SourceExt`] chains them, and [`SourceExt::to`] makes a [`Pipeline`], which can be run. A crash at any moment
//! leaves a prefix of the input durable. The next run asks the sink's [`Ledger`] for positions and state, and goes on from there.
//!
//! The [`tutorial`] explains all of this step by step. Records can be of any type.
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
//! Windows, aggregates, joins and state by key work on records of any type, by event time. Their state is stored by the sink, in
//! the same transaction as the records. This pipeline computes the revenue per category and minute, from files whose events may
//! be out of order by up to 30 seconds:
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
//! The programs in `examples/` of the repository use these operators: revenue per minute, a funnel by sessions, abandoned
//! baskets, attribution, trending products.
//!
//! # Where things are
//!
//! | to | see |
//! |---|---|
//! | read and write directories of CSV files | [`CsvDirSource`], [`CsvDirSink`]; [`read_csv`] for a single text |
//! | turn CSV records into events of a shop | [`Rules`]; [`Mapping`] for files with other columns, [`infer`] to propose one, [`check`] to try one |
//! | transform, aggregate and join records | [`SourceExt`], [`operators`], [`aggregate`] |
//! | run a pipeline and watch it | [`Pipeline`], [`Progress`], [`Activity`], [`stop_signal`] |
//! | test a pipeline | [`memory`]; the module `testing`, with the feature of that name |
//! | write a source, a transform or a sink | [`Source`], [`Transform`], [`Sink`]; `docs/extending.md` in the repository |
//!
//! # Features
//!
//! The first two are on by default. With `default-features = false` the library is the contract, the operators, the runner and the
//! reading of CSV, for sources of your own.
//!
//! | feature | |
//! |---|---|
//! | `csv-dir` | `CsvDirSource`, `CsvDirSink`, compressed files, and `check`, which checks a single file |
//! | `mapping` | mappings in TOML and the ready ones, patterns of `strptime`, time zones; with `csv-dir` also `infer`, which proposes a mapping for a file |
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
#[cfg_attr(
    not(feature = "csv-dir"),
    allow(dead_code, unused_imports, reason = "a directory of files needs all of it")
)]
mod csv;
#[cfg_attr(
    not(all(feature = "csv-dir", feature = "mapping")),
    allow(dead_code, unused_imports, reason = "files of other layouts need all of it")
)]
mod event;
pub mod operators;
mod run;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tutorial;

// Types of these crates are part of the signatures here.
#[doc(no_inline)]
pub use {bytes, csv_async, futures, time, uuid};

#[cfg(feature = "csv-dir")]
pub use connectors::csv_dir::{AfterCommit, CsvDirAck, CsvDirSink, CsvDirSource, UnterminatedRecord};
pub use connectors::memory;
pub use connectors::{AtomicFile, FileNames};
pub use contract::{
    Batch, BatchStream, Checkpoint, Commit, Committed, Counts, DirectoryIdentity, Either, EmptyLedger, Error,
    ErrorKind, Ledger, MAX_FINISHED_CANDIDATES, MAX_UNFINISHED_CANDIDATES, Mark, Origin, Position, Reason, Record,
    Refusal, Reject, Result, Sink, Source, SourceInfo, Split, SplitCandidates, SplitCount, SplitState, StageDurations,
    StateChange, Times, Topology, Transform,
};
#[cfg(feature = "csv-dir")]
pub use csv::NamePatterns;
pub use csv::{Columns, CsvLimits, CsvRecord, Dialect, FieldCountError, Header, ToCsv, read_csv};
#[cfg(feature = "csv-dir")]
pub use event::check;
#[cfg(all(feature = "csv-dir", feature = "mapping"))]
pub use event::infer;
pub use event::{
    Currency, CurrencyError, Event, EventType, ExcelDays, Field, Ids, LongValues, Mapping, MappingBuilder, Price,
    PriceError, Rounding, Rules, TimeAlternatives, TimeDescription, TimeFormat, TimeFormatError, id_of_origin,
    id_of_text,
};
#[cfg(feature = "mapping")]
pub use event::{TimeFormatBuilder, TimePattern, TimeZone};
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
