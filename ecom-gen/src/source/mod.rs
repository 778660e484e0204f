//! The events of a shop as a source, and what all sources of a shop share.

mod open;
pub(crate) mod options;
mod pace;
mod position;
mod shop_source;

pub(crate) use open::open;
pub use pace::Pace;
pub(crate) use pace::ShopClock;
pub(crate) use position::{EventIndex, PositionMarks};
pub use shop_source::ShopSource;
