//! Failed attempts: their causes, what to do about them, and how long to wait before the next
//! one.
//!
//! ```text
//! error of the driver ──► Failure ──► action()      what the program does: retry, pause, bisect …
//!                                 └─► into_error()  what the user reads: kind, message, hint
//! ```
//!
//! What an error means is decided in one place, by its SQLSTATE and the step in which it came
//! (`sqlstate`), except for connections that could not be opened, where the driver gives no code (`connection_error`).

mod backoff;
mod connection_error;
mod failure;
mod sqlstate;

pub(crate) use backoff::{PAUSE, delays};
pub(crate) use connection_error::POOLER;
pub(crate) use failure::{Deadline, Failure, LEAVES_ROWS_OUT};
pub(crate) use sqlstate::{Action, Blame, MORE_CONNECTIONS, Step, error_kind_and_hint};
