//! A source of any type behind one type, for pipelines that are put together at run time.

use std::fmt;
use std::pin::Pin;

use futures::Stream;
use futures::future::{BoxFuture, FutureExt};

use crate::contract::{Batch, BatchStream, Checkpoint, Commit, Committed, Result, Source, Topology};

/// A source of any type that yields records of type `T`; see [`SourceExt::boxed`](crate::SourceExt::boxed).
///
/// The cost is one virtual call a batch, and two a commit.
#[must_use = "a source does nothing until a pipeline from it runs"]
pub struct BoxSource<T>(Box<dyn AnySource<T>>);

/// What a [`BoxSource`] is told of commits, and hands on to its source.
pub struct BoxAck(Box<dyn AnyAck>);

impl<T: Send + 'static> BoxSource<T> {
    /// Puts `source` into a box. One that is in a box already gets a second one.
    pub fn new(source: impl Source<Item = T> + 'static) -> Self {
        Self(Box::new(source))
    }
}

impl<T: Send + 'static> Source for BoxSource<T> {
    type Item = T;
    type Ack = BoxAck;

    fn describe(&self, topology: &mut Topology) {
        self.0.describe(topology);
    }

    fn check(&self) -> Result<()> {
        self.0.check()
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<T>, BoxAck) {
        self.0.open(from)
    }
}

impl Committed for BoxAck {
    async fn committed(&mut self, commit: &Commit) -> Result<()> {
        self.0.committed(commit).await
    }
}

impl<T> fmt::Debug for BoxSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxSource").finish_non_exhaustive()
    }
}

impl fmt::Debug for BoxAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxAck").finish_non_exhaustive()
    }
}

type BoxBatches<T> = Pin<Box<dyn Stream<Item = Result<Batch<T>>> + Send>>;

/// [`Source`], as a trait that can be made into an object.
trait AnySource<T>: Send {
    fn describe(&self, topology: &mut Topology);
    fn check(&self) -> Result<()>;
    fn open(self: Box<Self>, from: Checkpoint) -> (BoxBatches<T>, BoxAck);
}

impl<S: Source + 'static> AnySource<S::Item> for S {
    fn describe(&self, topology: &mut Topology) {
        Source::describe(self, topology);
    }

    fn check(&self) -> Result<()> {
        Source::check(self)
    }

    fn open(self: Box<Self>, from: Checkpoint) -> (BoxBatches<S::Item>, BoxAck) {
        let (batches, ack) = Source::open(*self, from);
        (Box::pin(batches), BoxAck(Box::new(ack)))
    }
}

/// [`Committed`], as a trait that can be made into an object.
trait AnyAck: Send {
    fn committed<'a>(&'a mut self, commit: &'a Commit) -> BoxFuture<'a, Result<()>>;
}

impl<A: Committed> AnyAck for A {
    fn committed<'a>(&'a mut self, commit: &'a Commit) -> BoxFuture<'a, Result<()>> {
        Committed::committed(self, commit).boxed()
    }
}
