//! What a test knows of a sink's target.

use std::any::Any;
use std::fmt::Debug;
use std::future::{Future, ready};

use crate::connectors::memory::MemorySink;
use crate::contract::Sink;

/// What a sink writes to, in a test: gives instances of the sink and says what is there.
pub trait Store {
    /// What the sink takes.
    type Item: Clone + PartialEq + Debug + Send + Sync + 'static;

    /// The sink.
    type Sink: Sink<Self::Item>;

    /// Another instance of the sink on the store, as after a restart.
    fn sink(&self) -> Self::Sink;

    /// The records that are there, in any order; not asked of the sink but read past it.
    fn contents(&self) -> impl Future<Output = Vec<Self::Item>>;

    /// How many rejects are there; `None` where the sink keeps none.
    fn rejects(&self) -> impl Future<Output = Option<u64>> {
        ready(None)
    }

    /// What a crash does besides dropping the sink, which was done: to end its sessions, say.
    fn crash(&self) -> impl Future<Output = ()> {
        ready(())
    }

    /// Keeps writes waiting until what comes back is dropped, as a lock does; `None` where a test can't.
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
