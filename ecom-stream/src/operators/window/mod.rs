//! Windows over event time: tumbling, hopping and session windows, for each key.

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
