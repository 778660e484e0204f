//! Checks of the contract, for tests of your own sources, transforms and sinks.
//!
//! The signatures of the traits do not say everything that a pipeline relies on. The rest is the contract, as a list of laws.
//! Each check here does to one of your types what a pipeline does, with cuts and crashes, and panics when a law is broken. The
//! message says which law, what was seen, and when:
//!
//! ```text
//! broken law: positions never go back
//!   seen: the position of numbers/values at offset 3 and record 3 after one at offset 6 and record 6
//!   at: a run of [numbers], run 1: cut after 2 batches were read, 2 of them committed (seed 7)
//! ```
//!
//! If the check chose something at random, the message contains the seed. Pass it to `seed` to repeat the failure.
//!
//! | check | asks for | the laws |
//! |---|---|---|
//! | [`source()`] | a closure that makes the source, over the same data each time | resuming yields exactly what follows; positions never go back and never overtake a record; read = records + rejects + filtered; names stay the same; nothing outside changes before a commit; batches tell their size, so that memory is bounded |
//! | [`transform()`] | a closure that makes the transform, and records | the result does not depend on the batches; a cut changes nothing, state included; batches are never split; positions, rejects, errors and empty batches pass through; only a bounded amount of input is pulled ahead |
//! | [`sink()`] | a [`Store`]: makes the sink, and reads what it wrote | epochs are consecutive; commits cover whole batches, in order; the ledger returns what was committed; a crash at any moment loses nothing and doubles nothing; errors are passed on; only a bounded amount of input is pulled ahead |
//! | [`aggregate()`] | the aggregate, and values | the result depends neither on how accumulators were merged, nor on whether one was in a checkpoint |
//! | [`pipeline()`] | a source with transforms, and a [`Store`] | a pipeline that is dropped anywhere and run again ends with the same contents |
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
//! The checks need a tokio runtime with its timer. They cannot find everything: if a source loses data before its first batch,
//! for example, only a test that knows the data can find it.
//!
//! # How the files work together
//!
//! `law` has the laws. `script` is the input of the checks of transforms and sinks: values with rejects and filtered records
//! among them, in any batches. `polls` drops a future after some polls, which is how a crash is simulated. `run_output` and
//! `sink/trial` compare the results of a run that was cut with those of one that was not.

#![allow(clippy::panic, reason = "a check fails by panicking, like an assertion")]

mod aggregate;
mod endless;
mod law;
mod ledger;
mod pipeline;
mod polls;
mod run_output;
mod script;
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
