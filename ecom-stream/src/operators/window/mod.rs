//! Windows over event time: tumbling, hopping and session windows, for each key.

mod aggregate;
mod clock;
mod result;
mod session;
mod sliced;
mod slices;
mod spec;

pub use aggregate::WindowAggregate;
pub use result::{Firing, Window, Windowed};
pub use spec::Windows;
