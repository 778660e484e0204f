//! Windows over event time: tumbling, hopping and session windows, for each key.
//!
//! ```text
//! tumbling   |‾‾‾‾‾‾‾‾|‾‾‾‾‾‾‾‾|‾‾‾‾‾‾‾‾|      every record is in one window
//! hopping    |‾‾‾‾‾‾‾‾|                         every record is in size / slide windows
//!                |‾‾‾‾‾‾‾‾|
//!                    |‾‾‾‾‾‾‾‾|
//! session    |‾● ●‾●‾‾|       |‾●‾‾|            each key has its own; a window ends `gap` after its last record
//! ```
//!
//! - `spec`: [`Windows`], the settings; `result`: [`Window`], [`Windowed`] and [`Firing`], what comes out.
//! - `aggregate`: [`WindowAggregate`], the transform. It runs one of two operators:
//! - `sliced`: tumbling and hopping windows, made of slices of time that overlapping windows share (`slices`);
//! - `session`: session windows, which are merged when a record joins two of them.
//! - `watermark`: the watermark of both operators, which is saved with their state.
//!
//! Both operators handle a record in the same order: they move to the watermark of the record, which emits the windows that
//! are due; then they add the record to its windows, or treat it as late if all of them are closed.

mod aggregate;
mod result;
mod session;
mod sliced;
mod slices;
mod spec;
mod watermark;

pub use aggregate::WindowAggregate;
pub use result::{Firing, Window, Windowed};
pub use spec::Windows;
