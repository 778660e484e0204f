//! What the checks need to know about the target of a sink.

use std::any::Any;
use std::fmt::Debug;
use std::future::{Future, ready};

use crate::connectors::memory::MemorySink;
use crate::contract::Sink;

/// The target of a sink in a test, such as a database: makes sinks that write to it, and reads what they wrote.
///
/// [`MemorySink`] implements it. For your own sink, implement [`sink`](Self::sink) and [`contents`](Self::contents), and the
/// other methods as far as a test can do what they ask for:
///
/// ```
/// use ecom_stream::memory::MemorySink;
/// use ecom_stream::testing::{self, Store};
///
/// /// A table that many instances of a sink can write to.
/// struct Table(MemorySink<u32>);
///
/// impl Store for Table {
///     type Item = u32;
///     type Sink = MemorySink<u32>;
///
///     fn sink(&self) -> Self::Sink {
///         self.0.clone()
///     }
///
///     async fn contents(&self) -> Vec<u32> {
///         self.0.values()
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// testing::sink(async || Table(MemorySink::new("doc")), 0..20).check().await;
/// # }
/// ```
pub trait Store {
    /// The records of the sink.
    type Item: Clone + PartialEq + Debug + Send + Sync + 'static;

    /// The sink.
    type Sink: Sink<Self::Item>;

    /// A new instance of the sink that writes to this store, as after a restart.
    fn sink(&self) -> Self::Sink;

    /// The stored records, in any order. Read them from the store itself, not from a sink.
    fn contents(&self) -> impl Future<Output = Vec<Self::Item>>;

    /// The number of stored rejects; `None` if the sink stores none.
    fn rejects(&self) -> impl Future<Output = Option<u64>> {
        ready(None)
    }

    /// Does what a crash does besides dropping the sink, for example ends its sessions. Called after the sink was dropped.
    fn crash(&self) -> impl Future<Output = ()> {
        ready(())
    }

    /// Makes writes wait until the returned value is dropped, for example by a lock; `None` if the test cannot do that.
    fn stall(&self) -> impl Future<Output = Option<Box<dyn Any>>> {
        ready(None)
    }
}

impl<T: Clone + PartialEq + Debug + Send + Sync + 'static> Store for MemorySink<T> {
    type Item = T;
    type Sink = Self;

    fn sink(&self) -> Self {
        self.clone()
    }

    async fn contents(&self) -> Vec<T> {
        self.values()
    }

    async fn rejects(&self) -> Option<u64> {
        Some(self.rejects().len() as u64)
    }
}
