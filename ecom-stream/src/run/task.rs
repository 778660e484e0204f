//! Tasks of a pipeline: a dropped one is aborted, and a panic in one becomes an error.

use std::any::Any;

use tokio::task::{JoinError, JoinHandle};

use crate::contract::{Error, ErrorKind};

/// The handle of a task. Dropping it aborts the task, where a plain `JoinHandle` would let it run on.
pub(crate) struct AbortOnDrop<T>(pub(crate) JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The error of a task of the runner that panicked. Operators catch the panics of their closures themselves, so it was the
/// source, or this library.
pub(crate) fn panicked(err: JoinError) -> Error {
    match err.try_into_panic() {
        Ok(panic) => Error::new(
            ErrorKind::Panicked,
            format!("the source or its acknowledgement panicked: {}", message_of(&*panic)),
        )
        .hint(
            "what was committed is safe, and the next run goes on after it; if the source is not your own, please report \
             this with the output of RUST_BACKTRACE=1",
        ),
        Err(err) => Error::new(ErrorKind::Panicked, "a task of the pipeline was cancelled").caused_by(err),
    }
}

/// The error of an operator of that type that panicked: a closure that was passed to it, nearly always.
pub(crate) fn operator_panicked(operator: &str, panic: &(dyn Any + Send)) -> Error {
    Error::new(
        ErrorKind::Panicked,
        format!("the operator {operator} panicked: {}", message_of(panic)),
    )
    .hint(
        "look at the closure that is passed to it: it must not panic on any record; `try_map` can refuse one. What was \
         committed is safe; the next run reads the record that made it panic again",
    )
}

/// The error of a sink that panicked.
pub(crate) fn sink_panicked(panic: &(dyn Any + Send)) -> Error {
    Error::new(ErrorKind::Panicked, format!("the sink panicked: {}", message_of(panic))).hint(
        "look at the closures that are passed to it, such as those of the columns of a table: they must not panic on any \
         record. What was committed is safe; the next run reads the record that made it panic again",
    )
}

/// The text of a panic, which is a string unless somebody panics with a value of another type.
fn message_of(panic: &(dyn Any + Send)) -> &str {
    if let Some(message) = panic.downcast_ref::<String>() {
        message
    } else if let Some(message) = panic.downcast_ref::<&str>() {
        message
    } else {
        "a panic without a message"
    }
}
