//! Tasks of a pipeline: a dropped one is aborted, and a panic in one becomes an error.

use tokio::task::{JoinError, JoinHandle};

use crate::contract::{Error, ErrorKind};

/// The handle of a task. Dropping it aborts the task, where a plain `JoinHandle` would let it run on.
pub(crate) struct AbortOnDrop<T>(pub(crate) JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The error of a task that panicked.
pub(crate) fn panicked(err: JoinError) -> Error {
    Error::new(ErrorKind::Panicked, "a task of the pipeline panicked")
        .hint("this is a bug: please report it; what was committed is safe")
        .caused_by(err)
}
