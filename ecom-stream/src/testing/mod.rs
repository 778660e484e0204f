//! Checks of the contract, for tests of your own sources, transforms and sinks.
//!
//! What the traits promise to each other is more than their signatures say. Each check runs one of your types through what
//! a pipeline does to it, cuts and crashes included, and panics when it breaks a law: the message names the law, what was
//! seen and at which moment. Where chance decides, the message has the seed, and `seed` repeats it.
//!
//! | check | asks for | the laws |
//! |---|---|---|
//! | [`source()`] | a source over the same data, as often as it likes | resuming yields exactly what follows; positions never go back and never overtake a record; read = records + rejects + filtered; names stay; nothing outside changes before a commit; batches tell their size, so that what waits is bounded |
//! | [`transform()`] | the transform, and records | the result does not depend on the batches; a cut changes nothing, state included; batches are never split; positions, rejects, errors and empty batches pass; input is not pulled ahead without bound |
//! | [`sink()`] | a [`Store`]: instances of the sink, and what is there | epochs are consecutive; commits stand for whole batches, in order; the ledger gives back what was committed; a crash at any moment loses nothing and doubles nothing; errors come out; input is not pulled ahead without bound |
//! | [`aggregate()`] | the aggregate, and values | it makes no difference how they were merged, nor that an accumulator was in a checkpoint |
//! | [`pipeline()`] | a source with transforms, and a [`Store`] | dropped anywhere and run again, it ends with the same contents |
//!
//! ```
//! use ecom_stream::memory::{MemorySink, MemorySource};
//! use ecom_stream::operators::Map;
//! use ecom_stream::testing;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let numbers = || MemorySource::new("numbers", (0..20).collect::<Vec<i64>>()).max_batch_rows(3);
//! testing::source(numbers).check().await;
//! testing::transform(|| Map::new(|n: i64| n * n), 0..20).check().await;
//! testing::sink(async || MemorySink::new("test"), 0..20).check().await;
//! testing::pipeline(numbers, async || MemorySink::new("test")).check().await;
//! # }
//! ```
//!
//! The checks need a tokio runtime with its timer. They find most, not all, of what can be broken: that a source drops data
//! before the first batch, say, only its author can know.

#![allow(clippy::panic, reason = "a check fails by panicking, like an assertion")]

mod aggregate;
mod endless;
mod law;
mod ledger;
mod pipeline;
mod polls;
mod script;
mod seen;
mod sink;
mod source;
mod store;
mod transform;

pub use aggregate::aggregate;
pub use pipeline::{PipelineCheck, pipeline};
pub use sink::{SinkCheck, sink};
pub use source::{SourceCheck, source};
pub use store::Store;
pub use transform::{TransformCheck, transform};
