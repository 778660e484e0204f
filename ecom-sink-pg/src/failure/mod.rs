//! Failed attempts: their causes, what to do about them, and how long to wait before the next one.

mod backoff;
mod connection_error;
mod failure;
mod sqlstate;

pub(crate) use backoff::{PAUSE, delays};
pub(crate) use connection_error::POOLER;
pub(crate) use failure::{Deadline, Failure};
pub(crate) use sqlstate::{Action, error_kind_and_hint};
