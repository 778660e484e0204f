//! The operators: transforms that [`SourceExt`] offers as methods of every source.
//!
//! Most programs call the methods and never name the types here. The types are for settings that a method does not offer, by
//! [`via`](crate::SourceExt::via), and for the type of a pipeline that is stored or returned.
//!
//! ```text
//! record by record   Map Filter TryMap FlatMap ParMap Route Inspect Validate Stamp LookupJoin
//! event time         EventTime ──► Timed<T>, which the operators below take
//! by key             KeyBy ──► WindowAggregate, Scan, Deduplicate;   IntervalJoin
//! several streams    Merge (two sources as one), WithBranch (the records and what a chain makes of them)
//! ```
//!
//! | operator | state in the checkpoint | origin of its results |
//! |---|---|---|
//! | record by record, `Merge` | none | that of the record |
//! | [`EventTime`] | one entry for each split that is being read | that of the record |
//! | [`Scan`], [`Deduplicate`] | one entry for each key | that of the record |
//! | [`WindowAggregate`] | one entry for each key and window, or slice of a window | none |
//! | [`IntervalJoin`] | one entry for each record that may still find a match | none |
//! | [`WithBranch`] | that of the operators in its chain | that of the record; none for what the chain makes |
//!
//! An operator with state needs a name that no other operator of the pipeline has (`named`), and the same name in every run:
//! the ledger finds the state by it. See the module [`aggregate`] for what the state may contain.
//!
//! ```
//! use ecom_stream::memory::{MemorySink, MemorySource};
//! use ecom_stream::operators::{LookupJoin, Map};
//! use ecom_stream::SourceExt;
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
//! // A method, and the same operator by its type with a setting of its own.
//! let name = |id: i64| async move { Ok((id == 1).then_some("lamp")) };
//! let lookup = LookupJoin::new(|id: &i64| *id, name).time_to_live(Duration::from_secs(5));
//! let sink = MemorySink::new("doc");
//! MemorySource::new("ids", vec![1, 2]).via(Map::new(|id: i64| id)).via(lookup).to(sink.clone()).run().await?;
//! assert_eq!(sink.values(), [(1, Some("lamp")), (2, None)]);
//! # Ok(()) }
//! ```

pub mod aggregate;
mod boxed;
mod event_time;
mod filter;
mod flat_map;
mod inspect;
mod join;
mod keyed;
mod map;
mod merge;
mod par_map;
mod route;
mod source_ext;
mod stamp;
mod state;
mod try_map;
mod validate;
mod via;
mod window;
mod with_branch;

pub use boxed::{BoxAck, BoxSource};
pub use event_time::{EmitLate, EventTime, HasEventTime, LatePolicy, RejectLate, Timed, Timestamp, WithLate};
pub use filter::Filter;
pub use flat_map::FlatMap;
pub use inspect::Inspect;
pub use join::{IntervalJoin, Joined, LookupJoin};
pub use keyed::{Deduplicate, KeyBy, KeyedWindows, Scan};
pub use map::Map;
pub use merge::Merge;
pub use par_map::ParMap;
pub use route::Route;
pub use source_ext::SourceExt;
pub use stamp::Stamp;
pub use try_map::TryMap;
pub use validate::Validate;
pub use via::Via;
pub use window::{Firing, Window, WindowAggregate, Windowed, Windows};
pub use with_branch::{BranchSource, WithBranch};
